"""The HTTP interface of the service: requests, responses, keys, metrics, and the page."""
