//! A snapshot of what names mean at a target: relations, functions, types, keys, indirections. Pure data; `target` loads it.
