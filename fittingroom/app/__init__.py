"""The try-on page: a photo and a style in, before and after out. No script, no cookies, nothing kept.

`page` is the application, `rendering` what it shows, `limits` what a visitor may take of it, `server` how it is served.
"""

from fittingroom.app.page import Models, create_app
from fittingroom.app.server import serve_app

__all__ = ["Models", "create_app", "serve_app"]
