"""The OpenStack boundary: the only place that knows keystoneauth and novaclient.

It knows no model. It takes and returns the frozen dataclasses of `records`, and raises only the errors of
`errors`, whatever the libraries and the clouds do.
"""
