"""Google's double: the consent page, the token endpoint, and Sheets v4 as far as we and gspread use it.

Requests and answers are checked against Google's own description of the API (`contract`): what it does not know gets
Google's error, what it knows and this double has not built gets 501. Two things differ from the original on purpose:
formulas are kept but never calculated (they show as `Loading...`), and writing past the end of a grid by `values` is
always refused, so that a caller that grows the grid first works with both.

Control calls, without a token: `GET /_local/client` (the client secrets file), `POST /_local/tokens`
(`{"scopes": […], "testing": false, "account": ""}`: a credential file), `POST /_local/tokens/revoke`
(`{"access_only": false}`), `POST /_local/service-accounts` (`{"name": …}`: a service account's key file; `DELETE` with
its address ends it),
`POST` and `DELETE /_local/faults` (`faults.Fault`), `GET` and `POST /_local/spreadsheets`
(`{"id": …, "title": …, "sheet": …}`: one under an id of one's own, made once),
`POST /_local/spreadsheets/{id}/people` (`{"range": …, "value": …}` or `{"requests": […]}`),
`POST /_local/spreadsheets/{id}/share` (`{"account": …, "role": "writer"}`). The account without a name owns every
spreadsheet; others, service accounts too, see those that they made or that were shared with them.
"""
