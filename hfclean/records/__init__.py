"""What `hfclean.json` says of a dataset that was cleaned or a reviser that was saved. Anybody may have written it.

* `common`: reading and writing the file, whatever it describes;
* `dataset`: what a cleaned dataset's record may say, checked;
* `reviser`: the same for a reviser's, as plain settings;
* `trust`: which settings of a class a file may state, and what of them is followed when a stranger wrote it.
"""
