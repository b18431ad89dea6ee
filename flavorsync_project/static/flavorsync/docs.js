// Gives Swagger UI the scheme of the page: it has a dark look of its own, by a class.

const dark = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

function follow() {
  const chosen = root.dataset.theme;
  root.classList.toggle("dark-mode", chosen === "dark" || (chosen !== "light" && dark.matches));
}

dark.addEventListener("change", follow);
new MutationObserver(follow).observe(root, { attributeFilter: ["data-theme"] });
follow();
