"""Reports in words, one line each."""


def slice_sentence(file, report) -> str:
    """The file, then the class and its probabilities, or why there are none; columns are parted by tabs."""
    if report.status != "ok":
        return f"{file}\t{report.status}\t" + " ".join(reason.message for reason in report.reasons)
    shares = ", ".join(f"{name} {share:.2f}" for name, share in report.probabilities.items())
    columns = [str(file), report.prediction, shares]
    if report.set_in_words:
        columns.append(report.set_in_words)
    return "\t".join(columns)


def series_sentence(report, names) -> str:
    """How many slices were judged, then the result, the slices to look at first by their names, and the notes."""
    judged = sum(one.status == "ok" for one in report.slices)
    words = [report.result.sentence] if report.result else []
    words += [reason.message for reason in report.reasons]
    if report.suspicious:
        words.append(f"Look first at {', '.join(names[index] for index in report.suspicious)}.")
    words += [note.message for note in report.notes]
    return f"{len(report.slices)} slices, {judged} judged\t" + " ".join(words)
