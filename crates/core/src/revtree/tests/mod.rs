//! Tests of the tree: examples, every small tree in every order, and properties of large ones.
