-- The same statements run on PostgreSQL and on SQLite. Amounts are fen, times
-- are milliseconds since 1970, days are yyyyMMdd, identifiers are made by the
-- program: nothing here depends on which database it is.

-- +goose Up
CREATE TABLE users (
    id         TEXT   PRIMARY KEY,
    login      TEXT   NOT NULL UNIQUE,
    password   TEXT   NOT NULL,                 -- bcrypt
    role       TEXT   NOT NULL CHECK (role IN ('member', 'admin')),
    real_name  TEXT   NOT NULL,
    ident_no   TEXT   NOT NULL,
    mobile     TEXT   NOT NULL,
    email      TEXT   NOT NULL,
    account    TEXT   NOT NULL DEFAULT '',      -- custody account, once it is open
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_account ON users (account) WHERE account <> '';

CREATE TABLE sessions (
    token      TEXT   PRIMARY KEY,              -- SHA-256 of the cookie
    user_id    TEXT   NOT NULL REFERENCES users (id),
    expires_at BIGINT NOT NULL
);

-- An order is one thing asked of IPS. The end of a bid repeats the number of
-- its registration, so the number alone is not enough.
CREATE TABLE orders (
    operation  TEXT   NOT NULL,
    order_no   TEXT   NOT NULL,
    user_id    TEXT   NOT NULL REFERENCES users (id),
    bid_no     TEXT   NOT NULL DEFAULT '',
    about      TEXT   NOT NULL,                 -- what it is, for people
    request    TEXT   NOT NULL,                 -- JSON; rebuilds the very same message
    state      TEXT   NOT NULL CHECK (state IN ('recorded', 'pending', 'done', 'refused')),
    code       TEXT   NOT NULL DEFAULT '',
    message    TEXT   NOT NULL DEFAULT '',
    via        TEXT   NOT NULL DEFAULT '',      -- who said how it ended
    facts      TEXT   NOT NULL DEFAULT '',      -- what that answer claimed
    note       TEXT   NOT NULL DEFAULT '',      -- why the reconciler could not settle it
    click      TEXT   UNIQUE,                   -- the page that it came from, once
    attempts   BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    tried_at   BIGINT NOT NULL DEFAULT 0,
    settled_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (operation, order_no)
);
CREATE INDEX orders_open ON orders (tried_at) WHERE state IN ('recorded', 'pending');
CREATE INDEX orders_user ON orders (user_id, created_at);
CREATE INDEX orders_bid ON orders (bid_no);

-- The custody accounts whose money an order moves.
CREATE TABLE order_accounts (
    operation TEXT NOT NULL,
    order_no  TEXT NOT NULL,
    account   TEXT NOT NULL,
    PRIMARY KEY (operation, order_no, account),
    FOREIGN KEY (operation, order_no) REFERENCES orders (operation, order_no)
);
CREATE INDEX order_accounts_account ON order_accounts (account);

-- Answers that were heard and handled. A row's key is what ips.Once asks for.
CREATE TABLE answers (
    key       TEXT   PRIMARY KEY,
    operation TEXT   NOT NULL,
    order_no  TEXT   NOT NULL,
    code      TEXT   NOT NULL,
    message   TEXT   NOT NULL DEFAULT '',
    via       TEXT   NOT NULL DEFAULT '',
    facts     TEXT   NOT NULL DEFAULT '',
    copies    BIGINT NOT NULL DEFAULT 0,
    heard_at  BIGINT NOT NULL
);
CREATE INDEX answers_order ON answers (operation, order_no);

-- Answers that contradict what is known. They changed nothing.
CREATE TABLE contradictions (
    id          TEXT   PRIMARY KEY,             -- digest of what it says: copies are counted
    operation   TEXT   NOT NULL,
    order_no    TEXT   NOT NULL,
    code        TEXT   NOT NULL,
    message     TEXT   NOT NULL,
    via         TEXT   NOT NULL,
    facts       TEXT   NOT NULL,
    problem     TEXT   NOT NULL,
    copies      BIGINT NOT NULL DEFAULT 0,
    heard_at    BIGINT NOT NULL,
    resolved_by TEXT   REFERENCES users (id),
    resolution  TEXT   NOT NULL DEFAULT ''
);

-- The platform's own books: what each order has moved, line by line. Balances
-- are sums of it, so there is no number that could disagree with its history,
-- and the primary key keeps an order from being posted twice.
CREATE TABLE postings (
    operation TEXT   NOT NULL,
    order_no  TEXT   NOT NULL,
    line      BIGINT NOT NULL,
    account   TEXT   NOT NULL,
    bid_no    TEXT   NOT NULL,
    available BIGINT NOT NULL,
    frozen    BIGINT NOT NULL,
    about     TEXT   NOT NULL,
    posted_at BIGINT NOT NULL,
    PRIMARY KEY (operation, order_no, line),
    FOREIGN KEY (operation, order_no) REFERENCES orders (operation, order_no)
);
CREATE INDEX postings_account ON postings (account, posted_at);
CREATE INDEX postings_bid ON postings (bid_no);

CREATE TABLE loans (
    bid_no      TEXT   PRIMARY KEY,
    borrower_id TEXT   NOT NULL REFERENCES users (id),
    purpose     TEXT   NOT NULL,
    amount      BIGINT NOT NULL,
    margin      BIGINT NOT NULL,
    margin_left BIGINT NOT NULL DEFAULT 0,
    fee         BIGINT NOT NULL,
    fee_taken   BIGINT NOT NULL DEFAULT 0,
    rate        BIGINT NOT NULL,
    months      BIGINT NOT NULL,
    repay_mode  TEXT   NOT NULL,
    state       TEXT   NOT NULL CHECK (state IN ('applied', 'raising', 'running', 'ended', 'failed')),
    reg_order   TEXT   NOT NULL DEFAULT '',     -- order of its registration, which its end repeats
    created_at  BIGINT NOT NULL
);

CREATE TABLE guarantees (
    order_no     TEXT   PRIMARY KEY,
    bid_no       TEXT   NOT NULL REFERENCES loans (bid_no),
    guarantor_id TEXT   NOT NULL REFERENCES users (id),
    amount       BIGINT NOT NULL,
    margin_left  BIGINT NOT NULL,
    profit       BIGINT NOT NULL,
    profit_paid  BIGINT NOT NULL DEFAULT 0,
    compensated  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX guarantees_bid ON guarantees (bid_no);

-- A share is what one person holds of a claim. The claim keeps the number of
-- its creditor registration, whoever holds it.
CREATE TABLE shares (
    id          TEXT   PRIMARY KEY,
    claim       TEXT   NOT NULL,
    contract_no TEXT   NOT NULL,
    bid_no      TEXT   NOT NULL REFERENCES loans (bid_no),
    holder_id   TEXT   NOT NULL REFERENCES users (id),
    principal   BIGINT NOT NULL,                -- still owed
    fee         BIGINT NOT NULL,                -- frozen with it until the release
    state       TEXT   NOT NULL CHECK (state IN ('frozen', 'released', 'ended')),
    UNIQUE (claim, holder_id)
);
CREATE INDEX shares_bid ON shares (bid_no);
CREATE INDEX shares_holder ON shares (holder_id);

-- The plan of repayment of each share.
CREATE TABLE dues (
    share_id  TEXT   NOT NULL REFERENCES shares (id),
    period    BIGINT NOT NULL,
    due_on    TEXT   NOT NULL,
    principal BIGINT NOT NULL,
    interest  BIGINT NOT NULL,
    state     TEXT   NOT NULL CHECK (state IN ('open', 'repaid', 'compensated')),
    PRIMARY KEY (share_id, period)
);

CREATE TABLE sales (
    id        TEXT   PRIMARY KEY,
    share_id  TEXT   NOT NULL REFERENCES shares (id),
    bid_no    TEXT   NOT NULL REFERENCES loans (bid_no),
    seller_id TEXT   NOT NULL REFERENCES users (id),
    buyer_id  TEXT   REFERENCES users (id),
    order_no  TEXT   NOT NULL DEFAULT '',       -- the debt-transfer registration, once confirmed
    face      BIGINT NOT NULL,
    price     BIGINT NOT NULL,
    state     TEXT   NOT NULL CHECK (state IN ('offered', 'paid', 'done', 'withdrawn'))
);
CREATE UNIQUE INDEX sales_live ON sales (share_id) WHERE state IN ('offered', 'paid');

CREATE TABLE compensations (
    order_no  TEXT   PRIMARY KEY,
    guarantee TEXT   NOT NULL REFERENCES guarantees (order_no),
    bid_no    TEXT   NOT NULL REFERENCES loans (bid_no),
    amount    BIGINT NOT NULL,
    repaid    BIGINT NOT NULL DEFAULT 0
);

-- Permissions to act for a user (自动投标签约, 自动还款签约).
CREATE TABLE contracts (
    auth_no     TEXT   PRIMARY KEY,
    user_id     TEXT   NOT NULL REFERENCES users (id),
    kind        TEXT   NOT NULL CHECK (kind IN ('bid', 'repay')),
    valid_until TEXT   NOT NULL,                -- yyyyMMdd, '' for open-ended
    amount_from BIGINT NOT NULL,
    amount_to   BIGINT NOT NULL,
    rate_from   BIGINT NOT NULL,
    rate_to     BIGINT NOT NULL,
    signed_at   BIGINT NOT NULL
);
CREATE INDEX contracts_user ON contracts (user_id);

-- +goose Down
DROP TABLE contracts;
DROP TABLE compensations;
DROP TABLE sales;
DROP TABLE dues;
DROP TABLE shares;
DROP TABLE guarantees;
DROP TABLE loans;
DROP TABLE postings;
DROP TABLE contradictions;
DROP TABLE answers;
DROP TABLE order_accounts;
DROP TABLE orders;
DROP TABLE sessions;
DROP TABLE users;
