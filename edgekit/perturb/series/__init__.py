"""Perturbations of series: faults of sensors, of their converters and clocks, and of links.

Kinds of faults are those of Ni et al. 2009, Sensor Network Data Fault Types (ACM TOSN 5:3), and Sharma, Golubchik &
Govindan 2010 (ACM TOSN 6:3): noise, constant readings, offset, drift, lost data. Values are float64 [C, T], severities
1 to 5; sizes are in standard deviations of a channel over the set, as the units of sensors differ.
"""
