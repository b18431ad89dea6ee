"""How Nova's API is spoken: what its answers, errors, parameters and microversions are like, whatever they are about.

It knows no model and no cloud. The contract is the Compute API reference; where that is silent, Nova 34's answer is.
"""
