"""Tasks in one DynamoDB table, for several hosts: each runs its own dashboard over it.

`layout` says what is where in the table and `items` how it is written (both pure); `table` makes the calls; `store` is
the store, with its `blobs`, `journals`, `outbox`, and what it deletes in `pruning`.
"""
