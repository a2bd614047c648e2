"""The booking system's double: a season of bookings behind its REST API, from a seeded generator or from a file.

The API (bearer token; errors are problem documents; the token is made at the first start and shown by
`GET /_local/token`):

- `GET /v1/bookings?from=&to=&cursor=&limit=` answers `{"bookings": […], "next": cursor or null, "total": n}` in the
  order of ids; `from` and `to` bound the arrival date, both inclusive; `total` counts what matches on all pages.
- `GET /v1/bookings.csv?from=&to=` answers the same bookings as one CSV file.
- `/shapes/…` answers the same bookings as other systems would: eight usual shapes of API (`shapes`).
- `PUT`, `PATCH` and `DELETE /_local/bookings/{id}` change the data.
- `/_local/faults` makes the API misbehave (`faults.Fault`).
"""
