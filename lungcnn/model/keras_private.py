"""What Keras keeps to itself and this project needs all the same: one name, used here alone."""


def run_graph(graph, tensor, operation):
    """Run a functional `keras.Model` on a symbolic tensor, `operation(layer)` called in each layer's place.

    `keras.models.clone_model` does this from an input of its own only. Laying a nested model flat starts from a tensor
    inside another graph.
    """
    return graph._run_through_graph(tensor, operation)
