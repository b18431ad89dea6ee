"""The OpenStack boundary: the only place that knows keystoneauth and novaclient.

It knows no model. It takes and returns the frozen dataclasses of `records`, and raises the errors of
`errors` and nothing else, whatever the libraries and the clouds come up with.
"""
