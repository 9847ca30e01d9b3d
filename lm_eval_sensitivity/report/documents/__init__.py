"""One document per kind of statement: what a command says, as blocks that every form renders."""
