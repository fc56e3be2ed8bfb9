"""Scripts to start from, each with a picture; `examples.gallery` makes the pages of docs/gallery."""
