"""What exists in AWS: hosts with their addresses and the door to them, as a Pulumi program.

`__main__` puts together what `settings` allows; `host` and `firewall` each own their resources. What others need to
know leaves as the stack's outputs alone.
"""
