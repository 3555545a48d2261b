"""A page of a report as one HTML file: sections, tables, figures, maps of cells. It opens from disk and asks for
nothing else.

    page = Page(kind="Run", title="retina", lead="ROC AUC 0.97.", basis="Of 20 images.", sections=(
        Section("Layers", (Table("Kept connections", ("layer", "kept"), (("conv1", 57),)),)),
    ))
    write_page("report.html", page)

`plots.picture` draws with matplotlib, where it is installed, and gives None where it is not. All text is escaped.
"""
