"""Sizes as people read them, in templates."""

from django import template

from flavors.units import readable_gib, readable_mib

register = template.Library()
register.filter("mib", readable_mib)
register.filter("gib", readable_gib)
