//! Replacing sensitive values in what leaves the relay. Knows no protocol: values in, values out.
