//! The room cli.
