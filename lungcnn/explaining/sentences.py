"""What is said of a heatmap, in English: the one place of these sentences."""

MAP_BETTER = "The map is better than random at finding what the model used; {lungs} of it lies in the lungs."
MAP_NO_BETTER = (
    "The map is not better than random at finding what the model used: don't rely on it; "
    "{lungs} of it lies in the lungs."
)
MAP_HIDDEN = "{name} {before}, with the highlighted region hidden {after}."
# By `Explanation.strength`.
STRENGTHS = {
    "strong": "Strong evidence for {name}, on the scale of the slices seen in training.",
    "weak": "Weak evidence for {name}, on the scale of the slices seen in training.",
    "none": "No evidence for {name} to speak of: slices of other classes seen in training have as much.",
}
