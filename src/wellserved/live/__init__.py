"""Systems that are asked what happened: page by page, from where the last time ended, only where somebody set them up."""
