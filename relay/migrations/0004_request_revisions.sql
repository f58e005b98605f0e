-- Every change of a request makes its revision the newest of all: who follows requests asks for what is newer than they know.
ALTER TABLE requests ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
UPDATE requests SET revision = number;
CREATE INDEX requests_by_revision ON requests (revision);
