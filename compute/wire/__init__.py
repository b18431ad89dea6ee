"""The wire format of Nova's API: responses, errors, parameters and microversions.

It knows no model and no cloud. The contract is the Compute API reference; where that is silent, Nova 34's behaviour.
"""
