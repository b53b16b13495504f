"""Cases for `windows:`: events, a pipeline and the table that must come out, from real data and from chance."""
