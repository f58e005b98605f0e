//! End-to-end tests of the gateway: one builder makes a world of real servers, the tests are sentences against it.
