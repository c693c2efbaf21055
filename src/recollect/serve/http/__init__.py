"""The service over HTTP: what is asked and answered, who may, and the page."""
