<?php
// The page behind pWebUrl and pS2SUrl, run as the router of PHP's own server:
// it writes down what was posted, one JSON document a line, and answers 200.
// client.php reads and verifies it.
if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    http_response_code(405);
    exit;
}
$line = json_encode(array('url' => $_SERVER['REQUEST_URI'], 'post' => $_POST));
if (file_put_contents(getenv('NOTIFY_FILE'), $line . "\n", FILE_APPEND | LOCK_EX) === false) {
    http_response_code(500);
    exit;
}
echo 'ok';
