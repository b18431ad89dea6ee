"""The flavors of the Sovereign Cloud Stack: names (scs-0100) and standard flavors (scs-0103). It knows no model."""
