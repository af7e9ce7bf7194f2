"""Data governance: duplicates within and between data sets, balance, suspicious labels, terms, and the data card."""
