"""Pages of `docs/gallery`, one a case of the paper: what it shows, and what comes out here.

    python -m examples.gallery [NAME ...] [--quick] [--out DIR] [--again]

A module a page. Each builds its own structures, looks at them with the default model, and leaves a page, its pictures
and its figures as JSON; nothing on a page is typed by hand that a run could say.
"""
