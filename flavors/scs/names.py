"""The names of the Sovereign Cloud Stack's flavors, as scs-0100 v3 has them: `SCS-8V-32-100s`.

A name that the standard's own tests accept is accepted here, and no other. They also accept, as we do, names of version
1, which have other separators: `SCS-8V:32:100s`.
"""

import re
from dataclasses import dataclass

PREFIX = "SCS-"
CPU_TYPES = {"C": "dedicated-core", "T": "dedicated-thread", "V": "shared-core", "L": "crowded-core"}
CPU_WORDS = {"C": "dedicated cores", "T": "dedicated threads", "V": "shared core", "L": "crowded core"}
DISK_TYPES = {"n": "network", "h": "hdd", "s": "ssd", "p": "nvme"}
DISK_WORDS = {"": "disk", "n": "network disk", "h": "local HDD", "s": "SSD", "p": "NVMe"}
HYPERVISORS = {"kvm": "KVM", "xen": "Xen", "hyv": "Hyper-V", "vmw": "VMware", "bms": "bare metal"}
CPU_VENDORS = {"i": "Intel", "z": "AMD", "a": "ARM", "r": "RISC-V"}
GENERATIONS = {
    "i": ("", "Skylake", "Cascade Lake", "Ice Lake", "Sapphire Rapids", "Sierra Forest", "Granite Rapids"),
    "z": ("", "Zen 1", "Zen 2", "Zen 3", "Zen 4", "Zen 5"),
    "a": ("", "A76", "A78", "A71x", "AmpereOne", "A72x"),
    "r": ("",),
}
GPU_BRANDS = {"N": "Nvidia", "A": "AMD", "I": "Intel"}
GPU_GENERATIONS = {
    "N": {"f", "k", "m", "p", "v", "t", "a", "l", "g"},
    "A": {"0.4", "0.5", "1", "2", "3", "3.5", "4"},
    "I": {"0.9", "0.95", "1", "2", "3"},
}
MOST_H = {"cpu": 3, "gpu": 2}

_SYNTAX = r"""
    SCS- (?P<cpus>[0-9]*) (?P<cpu>[LVTC]) (?P<insecure>i?) {sep} (?P<ram>[0-9.]*) (?P<no_ecc>u?) (?P<ram_over>o?)
    (?: (?P<disk>{sep}) (?: (?P<disks>[0-9]*) x)? (?P<size>[0-9]*) (?P<disk_type>[nhsp]?) )?
    (?: {ext} (?P<hypervisor>kvm|xen|vmw|hyv|bms) )?
    (?: {ext} (?P<hardware>hwv) )?
    (?: {ext} (?P<vendor>[izar]) (?P<generation>[0-9]*) (?P<cpu_h>h*) (?=$|{ext}) )?
    (?: {ext} (?P<gpu>[gG]) (?P<brand>[NAI]) (?P<gpu_generation>[^{sep}h]*) (?: {sep} (?P<units>[0-9]+) )? (?P<gpu_h>h*)
        (?: {sep} (?P<vram>[0-9]+) )? (?P<vram_h>h*) )?
    (?: {ext} (?P<infiniband>ib) )?
"""
_VERSIONS = [re.compile(_SYNTAX.format(sep=sep, ext=ext), re.VERBOSE) for sep, ext in ((r"\-", "_"), (":", r"\-"))]


class NoScsName(ValueError):
    """A name begins with `SCS-` and is not one that the standard allows; says what is wrong."""


@dataclass(frozen=True)
class ScsName:
    """What a name promises. RAM is in GiB, the size of a disk in GB: None without a disk, 0 where the cloud chooses."""

    cpus: int
    cpu: str
    ram: float
    disk: int | None
    disks: int
    disk_type: str
    details: tuple[str, ...]
    """What else it says, in words."""

    def in_words(self) -> str:
        """Return it as people say it: `8 vCPUs, shared core, 32 GiB, 100 GB SSD`."""
        said = [f"{self.cpus} vCPU{'s' * (self.cpus > 1)}", CPU_WORDS[self.cpu], f"{self.ram:g} GiB"]
        if self.disk is not None:
            times = f"{self.disks} x " if self.disks > 1 else ""
            said.append(f"{times}{f'{self.disk} GB ' if self.disk else ''}{DISK_WORDS[self.disk_type]}")
        return ", ".join([*said, *self.details])


def is_scs(name: str) -> bool:
    """Say whether the standard is about this name."""
    return name.startswith(PREFIX)


def parse(name: str) -> ScsName:
    """Return what a name says.

    Raises:
        NoScsName: the standard does not allow it.
    """
    found = [(syntax, match) for syntax in _VERSIONS if (match := syntax.match(name))]
    if not found:
        raise NoScsName("it does not say how many vCPUs of which kind, and how much RAM")
    wrong = ""
    for _, match in found:
        if match.end() != len(name):
            wrong = wrong or f"{name[match.end() :]!r} is not understood"
            continue
        try:
            return _read(match)
        except NoScsName as error:
            wrong = wrong or str(error)
    raise NoScsName(wrong)


def _read(match: re.Match[str]) -> ScsName:
    has_disk = match["disk"] is not None
    return ScsName(
        cpus=_positive(match["cpus"], "number of vCPUs"),
        cpu=match["cpu"],
        ram=_ram(match["ram"]),
        disk=_optional(match["size"], "size of the disk") if has_disk else None,
        disks=_optional(match["disks"], "number of disks") or 1,
        disk_type=match["disk_type"] or "",
        details=(*_of_cpu(match), *_of_gpu(match), *(["InfiniBand"] if match["infiniband"] else [])),
    )


def _positive(text: str, what: str) -> int:
    if not text or int(text) == 0:
        raise NoScsName(f"the {what} must be 1 or more")
    return int(text)


def _optional(text: str | None, what: str) -> int:
    return _positive(text, what) if text else 0


def _ram(text: str) -> float:
    try:
        ram = float(text)
    except ValueError:
        ram = 0
    if ram <= 0 or ram * 2 != int(ram * 2):
        raise NoScsName("the RAM must be a multiple of half a GiB")
    return ram


def _of_cpu(match: re.Match[str]) -> list[str]:
    said = ["without fixes of the CPU"] if match["insecure"] else []
    said += ["without ECC"] if match["no_ecc"] else []
    said += ["oversubscribed RAM"] if match["ram_over"] else []
    said += [HYPERVISORS[match["hypervisor"]]] if match["hypervisor"] else []
    said += ["nested virtualisation"] if match["hardware"] else []
    if vendor := match["vendor"]:
        generation = int(match["generation"] or 0)
        if generation >= len(GENERATIONS[vendor]):
            raise NoScsName(f"{CPU_VENDORS[vendor]} has no generation {generation}")
        said.append(f"{CPU_VENDORS[vendor]} {GENERATIONS[vendor][generation]}".strip() + _fast(match["cpu_h"], "cpu"))
    return said


def _of_gpu(match: re.Match[str]) -> list[str]:
    if not match["gpu"]:
        return []
    brand, generation = match["brand"], match["gpu_generation"]
    if generation and generation not in GPU_GENERATIONS[brand]:
        raise NoScsName(f"{GPU_BRANDS[brand]} has no generation {generation!r} of GPUs")
    _optional(match["units"], "number of the GPU's units")
    vram = _optional(match["vram"], "size of the GPU's RAM")
    _fast(match["vram_h"], "gpu")
    kind = "GPU" if match["gpu"] == "G" else "vGPU"
    return [f"{GPU_BRANDS[brand]} {kind}" + (f" with {vram} GiB" if vram else "") + _fast(match["gpu_h"], "gpu")]


def _fast(letters: str, what: str) -> str:
    if len(letters) > MOST_H[what]:
        raise NoScsName(f"{letters!r} is not understood")
    return ", high performance" if letters else ""
