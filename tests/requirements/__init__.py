"""Which requirements of the ActiveSync documents the tests show, and why the others are not shown.

`catalogue` knows which requirements there are, `marks` which of them tests show, `reasons` why a test shows
the rest not; `page` writes all of it down as `appliance/eas/COVERAGE.md`.
"""
