"""Documentation site: the pages of docs/, and a reference that is made from the code, built by Zensical."""
