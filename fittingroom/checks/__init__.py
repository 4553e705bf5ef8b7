"""Checks at the borders between stages: whether what one stage gave is fit for the next, said in plain sentences.

::

    settings = CheckSettings().with_overrides({"crawl_kept": 20, "warning": ["cut_out_colours"]})
    found = crawl_checks("navy", {"offered": 30, "counts": {"kept": 12}}, None, settings)
    found[0].sentence                                   "12 pictures were kept, at least 20 are wanted"
    blocked_by(found)                                   what the style does not go on for; empty where nothing blocks

`settings` says what each check allows and how hard it is, `borders` judges, `looks` looks at pictures, `observations`
remembers what earlier runs saw. Nothing here knows of flows: these hand in what their stages counted.
"""
