"""The try-on page: a photo and a style in, before and after out. No cookies, nothing kept, and no need of its script.

`page` is the application, `service` what it has in common with the HTTP `api`, `room` where photos are dressed,
`rendering` and `words` what it shows and says, `samples` how styles look, `arriving` and `asked` what a form asks for,
`codes` what can be wrong with it, `limits` what a visitor may take, `server` how it is served, `metrics` and `logs`
what is told of that.
"""

from fittingroom.app.page import create_app
from fittingroom.app.room import Models
from fittingroom.app.server import serve_app

__all__ = ["Models", "create_app", "serve_app"]
