-- Sample data of the demo and the tests: a small shop, the same on every machine.
-- psql variables: role (the relay's role), password.

CREATE TABLE customers (
    id         integer PRIMARY KEY,
    name       text NOT NULL,
    email      text NOT NULL,
    ssn        text NOT NULL,
    phone      text,
    note       text,
    created_at timestamptz NOT NULL
);

CREATE TABLE orders (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    item        text NOT NULL,
    amount      numeric(10, 2) NOT NULL,
    status      text NOT NULL,
    placed_at   timestamptz NOT NULL
);

INSERT INTO customers
SELECT n,
       (ARRAY['Ada', 'Grace', 'Edsger', 'Barbara', 'Donald', 'Radia', 'Ken', 'Frances'])[1 + n % 8] || ' '
           || (ARRAY['Miller', 'Okafor', 'Tanaka', 'Silva', 'Novak', 'Haddad', 'Jensen'])[1 + n % 7],
       'customer' || n || '@example.com',
       lpad((100 + n % 799)::text, 3, '0') || '-' || lpad((10 + n % 89)::text, 2, '0') || '-' || lpad((1000 + n * 7 % 8999)::text, 4, '0'),
       '+1 415 555 ' || lpad((n * 37 % 10000)::text, 4, '0'),
       CASE WHEN n % 5 = 0 THEN 'paid with 4111 1111 1111 1111' END,
       timestamptz '2025-01-01 09:00:00+00' + n * interval '3 hours'
FROM generate_series(1, 200) AS n;

INSERT INTO orders
SELECT n,
       1 + n % 200,
       (ARRAY['lamp', 'desk', 'chair', 'kettle', 'clock'])[1 + n % 5],
       (5 + n * 13 % 400)::numeric + 0.99,
       (ARRAY['open', 'paid', 'shipped', 'returned'])[1 + n % 4],
       timestamptz '2025-02-01 12:00:00+00' + n * interval '47 minutes'
FROM generate_series(1, 1000) AS n;

CREATE VIEW open_orders AS
SELECT orders.id, customers.name, customers.email, orders.item, orders.amount
FROM orders JOIN customers ON customers.id = orders.customer_id
WHERE orders.status = 'open';

-- The role that the relay uses: it may do what people may at most, and no more.
CREATE ROLE :"role" LOGIN NOINHERIT PASSWORD :'password';
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"role";
ANALYZE;
