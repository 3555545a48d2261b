"""What a report says of a run, a comparison, a sweep or a fit: from their files to a `report.page.Page`."""
