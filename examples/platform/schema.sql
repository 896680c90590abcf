-- The platform's tables, in words that MySQL, PostgreSQL and SQLite all know.
-- Amounts are fen, times microseconds since 1970, days yyyyMMdd, identifiers are
-- made by the program. What was released never changes: what comes next is
-- another version.

-- version 1
CREATE TABLE IF NOT EXISTS users (
    id         VARCHAR(32)  PRIMARY KEY,
    login      VARCHAR(60)  NOT NULL UNIQUE,
    password   VARCHAR(100) NOT NULL, -- bcrypt
    role       VARCHAR(16)  NOT NULL,
    real_name  VARCHAR(60)  NOT NULL,
    ident_no   VARCHAR(40)  NOT NULL,
    mobile     VARCHAR(40)  NOT NULL,
    email      VARCHAR(100) NOT NULL,
    account    VARCHAR(40)  NOT NULL, -- custody account, once it is open
    created_at BIGINT       NOT NULL
);
CREATE INDEX users_account ON users (account);
CREATE TABLE IF NOT EXISTS sessions (
    token      VARCHAR(64) PRIMARY KEY, -- SHA-256 of the cookie
    user_id    VARCHAR(32) NOT NULL,
    expires_at BIGINT      NOT NULL,
    FOREIGN KEY (user_id) REFERENCES users (id)
);

-- What the platform adds to an order of the book: whose it is, and what for.
CREATE TABLE IF NOT EXISTS acts (
    order_key VARCHAR(96)  PRIMARY KEY, -- in the book's table ips_order
    operation VARCHAR(40)  NOT NULL,
    order_no  VARCHAR(40)  NOT NULL,
    user_id   VARCHAR(32)  NOT NULL,
    bid_no    VARCHAR(40)  NOT NULL,
    kind      VARCHAR(16)  NOT NULL,
    ref       VARCHAR(40)  NOT NULL, -- a sale, a guarantee, a period
    mark      VARCHAR(100) NOT NULL, -- what was sold or repaid when it was ordered
    about     VARCHAR(200) NOT NULL, -- for people
    note      VARCHAR(500) NOT NULL, -- how it went, for people
    click     VARCHAR(96)  NOT NULL UNIQUE, -- the button that it came from, once
    content   VARCHAR(64)  NOT NULL, -- digest of what was sent with the click
    by_user   BIGINT       NOT NULL, -- carried by a browser
    void      BIGINT       NOT NULL, -- staff has said that nobody waits for it
    made_at   BIGINT       NOT NULL,
    FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX acts_no ON acts (order_no);
CREATE INDEX acts_user ON acts (user_id, made_at);
CREATE INDEX acts_bid ON acts (bid_no, made_at);
CREATE INDEX acts_made ON acts (made_at);

-- The platform's own books: what each order has moved, line by line. Balances
-- are sums of it, so there is no number that could disagree with its history.
CREATE TABLE IF NOT EXISTS postings (
    order_key VARCHAR(96)  NOT NULL,
    line      BIGINT       NOT NULL,
    account   VARCHAR(40)  NOT NULL,
    bid_no    VARCHAR(40)  NOT NULL,
    available BIGINT       NOT NULL,
    frozen    BIGINT       NOT NULL,
    about     VARCHAR(100) NOT NULL,
    posted_at BIGINT       NOT NULL,
    PRIMARY KEY (order_key, line)
);
CREATE INDEX postings_account ON postings (account, posted_at);
CREATE INDEX postings_bid ON postings (bid_no);
CREATE TABLE IF NOT EXISTS loans (
    bid_no      VARCHAR(40)  PRIMARY KEY,
    borrower_id VARCHAR(32)  NOT NULL,
    purpose     VARCHAR(200) NOT NULL,
    amount      BIGINT       NOT NULL,
    margin      BIGINT       NOT NULL,
    margin_left BIGINT       NOT NULL,
    fee         BIGINT       NOT NULL, -- the most that the platform takes from the borrower
    fee_taken   BIGINT       NOT NULL,
    released    BIGINT       NOT NULL, -- what he has got, before the fee
    rate        BIGINT       NOT NULL,
    months      BIGINT       NOT NULL,
    repay_mode  VARCHAR(8)   NOT NULL,
    state       VARCHAR(16)  NOT NULL,
    reg_order   VARCHAR(40)  NOT NULL, -- number of its registration, which its end repeats
    contract_no VARCHAR(40)  NOT NULL, -- of an old bid
    release_no  VARCHAR(40)  NOT NULL, -- of an old bid: number of its release
    created_at  BIGINT       NOT NULL,
    FOREIGN KEY (borrower_id) REFERENCES users (id)
);
CREATE INDEX loans_made ON loans (created_at);
CREATE TABLE IF NOT EXISTS guarantees (
    order_no     VARCHAR(40) PRIMARY KEY,
    bid_no       VARCHAR(40) NOT NULL,
    guarantor_id VARCHAR(32) NOT NULL,
    amount       BIGINT      NOT NULL,
    margin_left  BIGINT      NOT NULL,
    profit       BIGINT      NOT NULL, -- what the guarantor asks for
    agreed       BIGINT      NOT NULL, -- the borrower has said yes to it
    profit_paid  BIGINT      NOT NULL,
    compensated  BIGINT      NOT NULL,
    FOREIGN KEY (bid_no) REFERENCES loans (bid_no),
    FOREIGN KEY (guarantor_id) REFERENCES users (id)
);

-- A share is what one person holds of a claim, and number how IPS knows it: the
-- creditor registration's, or that of the transfer by which it was bought.
CREATE TABLE IF NOT EXISTS shares (
    id          VARCHAR(32) PRIMARY KEY,
    claim       VARCHAR(40) NOT NULL,
    number      VARCHAR(40) NOT NULL,
    contract_no VARCHAR(40) NOT NULL,
    bid_no      VARCHAR(40) NOT NULL,
    holder_id   VARCHAR(32) NOT NULL,
    principal   BIGINT      NOT NULL, -- still owed
    unpaid      BIGINT      NOT NULL, -- the face less all that was paid, interest included
    fee         BIGINT      NOT NULL, -- frozen with it until the release
    overpaid    BIGINT      NOT NULL, -- what he was paid although nothing was due any more
    state       VARCHAR(16) NOT NULL,
    UNIQUE (claim, holder_id),
    FOREIGN KEY (bid_no) REFERENCES loans (bid_no),
    FOREIGN KEY (holder_id) REFERENCES users (id)
);
CREATE TABLE IF NOT EXISTS dues (
    share_id  VARCHAR(32) NOT NULL,
    period    BIGINT      NOT NULL,
    due_on    VARCHAR(8)  NOT NULL,
    principal BIGINT      NOT NULL,
    interest  BIGINT      NOT NULL,
    paid      BIGINT      NOT NULL,
    state     VARCHAR(16) NOT NULL,
    PRIMARY KEY (share_id, period),
    FOREIGN KEY (share_id) REFERENCES shares (id)
);
CREATE TABLE IF NOT EXISTS sales (
    id        VARCHAR(32) PRIMARY KEY,
    share_id  VARCHAR(32) NOT NULL,
    bid_no    VARCHAR(40) NOT NULL,
    seller_id VARCHAR(32) NOT NULL,
    buyer_id  VARCHAR(32) NOT NULL,
    order_no  VARCHAR(40) NOT NULL, -- the debt-transfer registration that was confirmed
    face      BIGINT      NOT NULL,
    price     BIGINT      NOT NULL,
    state     VARCHAR(16) NOT NULL,
    FOREIGN KEY (share_id) REFERENCES shares (id),
    FOREIGN KEY (seller_id) REFERENCES users (id)
);
CREATE INDEX sales_state ON sales (state, id);
CREATE INDEX sales_bid ON sales (bid_no);
CREATE TABLE IF NOT EXISTS compensations (
    order_no  VARCHAR(40) PRIMARY KEY,
    guarantee VARCHAR(40) NOT NULL,
    bid_no    VARCHAR(40) NOT NULL,
    amount    BIGINT      NOT NULL,
    repaid    BIGINT      NOT NULL,
    FOREIGN KEY (guarantee) REFERENCES guarantees (order_no)
);
CREATE INDEX compensations_bid ON compensations (bid_no);

-- Permissions to act for a user (自动投标签约, 自动还款签约).
CREATE TABLE IF NOT EXISTS contracts (
    auth_no     VARCHAR(40) PRIMARY KEY,
    user_id     VARCHAR(32) NOT NULL,
    kind        VARCHAR(16) NOT NULL,
    valid_until VARCHAR(8)  NOT NULL, -- yyyyMMdd, empty for open-ended
    amount_from BIGINT      NOT NULL,
    amount_to   BIGINT      NOT NULL,
    rate_from   BIGINT      NOT NULL,
    rate_to     BIGINT      NOT NULL,
    signed_at   BIGINT      NOT NULL,
    FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX contracts_user ON contracts (user_id);

-- version 2
-- The rows of batches that IPS has not carried out.
CREATE TABLE IF NOT EXISTS failures (
    order_key VARCHAR(96)  NOT NULL,
    line      BIGINT       NOT NULL,
    account   VARCHAR(40)  NOT NULL,
    amount    BIGINT       NOT NULL,
    reason    VARCHAR(250) NOT NULL,
    PRIMARY KEY (order_key, line)
);

-- version 3
-- The last comparison with the books of IPS (对账), and what it has found.
CREATE TABLE IF NOT EXISTS comparisons (
    began_at BIGINT      PRIMARY KEY,
    up_to    VARCHAR(40) NOT NULL, -- the last account that was looked at
    looked   BIGINT      NOT NULL,
    ended_at BIGINT      NOT NULL
);

CREATE TABLE IF NOT EXISTS differences (
    account VARCHAR(40)   PRIMARY KEY,
    line    VARCHAR(2000) NOT NULL -- of the CSV file, as JSON
);
