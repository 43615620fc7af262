"""The form of every answer, in our own words: which elements, where, how many, with what in them.

`answers/` has one text for each command and one for the content of mail; `rules` reads them, `check` holds
an answer against them, `breaks` knows how each rule is broken. `wire` reads the bytes on its own, so that
the product's codec is not asked whether the product's codec is right.
"""
