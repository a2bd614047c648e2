"""What exists in AWS: hosts with their addresses and firewalls, as a Pulumi program.

`__main__` puts together what `settings` allows; `host` and `firewall` each own their resources. What others need to
know leaves only as the stack's outputs.
"""
