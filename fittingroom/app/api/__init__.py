"""The HTTP API that shops integrate, under ``/v1`` of the page's server: the page's own line, room and limits, answered
to programs.

`routes` is the application, `reading` what requests say, `answers` what is answered, `gate` who may ask, `jobs` what is
answered later.
"""
