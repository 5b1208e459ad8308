//! tabularize
