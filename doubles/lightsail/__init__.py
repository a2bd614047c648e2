"""The Lightsail API over HTTP for this machine: instances are real hosts, firewalls real rules, certificates real.

What differs from AWS: signatures are not verified (any key is accepted), IPv6 is stored but no host has an address of
it, a host's disk is as large as this machine's, and there is no metadata service. What is not built answers 501.
`GET /_local/calls` says what was asked, with the tags by which AWS would allow it; DELETE forgets it.
"""
