//! Stories of health.
