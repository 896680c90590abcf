<?php
/**
 * A P2P platform of 2014 in PHP: the whole life of one loan, told to the
 * custody platform whose address it is given. It knows nothing but the wire.
 *
 *     php client.php BASE_URL [PORT]
 *
 * PORT is where it listens for notifications, by default any free one. With
 * IPS_PUBLIC_KEY (PEM) in the environment answers must be signed MD5withRSA,
 * else MD5. It prints a line for each step and exits with 0 only if every
 * answer verified and every balance was right to the fen.
 */
error_reporting(E_ALL);
ini_set('display_errors', 'stderr');
ini_set('soap.wsdl_cache_enabled', '0');
ini_set('default_socket_timeout', '20');
date_default_timezone_set('Asia/Shanghai');

// The merchant of the platform's test environment.
const MER_CODE = '808801';
const CERT = 'GPhKt7sh4dxQQZZkINGFtefRKNPyAj8S00cgAwtRyy0ufD7alNC28xCBKpa6IU7u54zzWSAv4PqUDKMgpOnM7fucO1wuwMi4RgPAnietmqYIhHXZ3TqTGKNzkxA55qYH';
const DES_KEY = 'ICHuQplJ0YR9l7XeVNKi6FMn';
const DES_IV = '2EDxsEfp';

set_error_handler(function ($level, $text, $file, $line) {
    if (error_reporting() & $level) { // not where an @ has silenced it
        throw new ErrorException($text, 0, $level, $file, $line);
    }
    return true;
});

// An interrupt must not leave the listener behind.
if (function_exists('pcntl_async_signals')) {
    pcntl_async_signals(true);
    pcntl_signal(SIGINT, function () {
        exit(130);
    });
}

if ($argc < 2) {
    fwrite(STDERR, "usage: php client.php BASE_URL [PORT]\n");
    exit(2);
}
$base = rtrim($argv[1], '/');

try {
    $listener = new Listener($argc > 2 ? (int) $argv[2] : 0);
    loan(new Ips($base, $listener), $listener);
    echo "all verified\n";
} catch (Throwable $e) {
    fwrite(STDERR, 'FAILED: ' . $e->getMessage() . ' (line ' . $e->getLine() . ")\n");
    exit(1);
}

/** loan tells the story. */
function loan($ips, $listener)
{
    $zhang = array('pIdentNo' => '110101199001010001', 'pRealName' => '张三');
    $li = array('pIdentNo' => '110101199001010002', 'pRealName' => '李四');
    $today = date('Ymd');
    $run = 'PHP' . date('YmdHis');

    // 4.2 开户
    foreach (array('A1' => array(&$zhang, '13800000000', 'zhangsan@example.com'),
                   'A2' => array(&$li, '13800000001', 'lisi@example.com')) as $no => $who) {
        $answer = $ips->page('CreateNewIpsAcct.aspx', 'arg', array(
            'pMerBillNo' => $run . $no, 'pIdentType' => '1', 'pIdentNo' => $who[0]['pIdentNo'],
            'pRealName' => $who[0]['pRealName'], 'pMobileNo' => $who[1], 'pEmail' => $who[2], 'pSmDate' => $today,
        ), array('memo' => '备注 <a> & "b"'));
        same('MG00000F', $answer->code, '开户');
        same('10', field($answer, 'pStatus'), 'pStatus');
        same($who[0]['pRealName'], field($answer, 'pRealName'), 'pRealName');
        same('备注 <a> & "b"', field($answer, 'pMemo1'), 'pMemo1');
        same(1, preg_match('/^[0-9]{4}$/', field($answer, 'pBkAccNo')), 'pBkAccNo is 4 digits');
        $who[0]['pIpsAcctNo'] = field($answer, 'pIpsAcctNo');
        $notice = $listener->await('/notify', $run . $no, 'MG00000F');
        same(field($answer, 'pIpsAcctNo'), field($notice, 'pIpsAcctNo'), 'pIpsAcctNo by S2S');
        step('开户 ' . $who[0]['pRealName'], $answer, $who[0]['pIpsAcctNo']);
    }
    unset($who);
    $ips->balance($zhang['pIpsAcctNo'], '0.00', '0.00');

    // 充值的银行编号 comes out of 银行名称|别名|编号#…
    $banks = $ips->query('Service', 'GetBankList', array());
    $parts = explode('|', current(explode('#', (string) $banks->pBankList)));
    same(3, count($parts), 'parts of a bank');
    same(5, strlen($parts[2]), 'length of a bank code');
    step('银行列表', $banks, $parts[0] . ' ' . $parts[2]);

    // 4.9 充值, the first one sent twice as an impatient user does
    $recharges = array('R1' => array($li, '20000.50', '1.25'), 'R2' => array($zhang, '500.07', '0.00'));
    foreach ($recharges as $no => $r) {
        $fields = array('pMerBillNo' => $run . $no, 'pAcctType' => '1') + $r[0] + array(
            'pTrdDate' => $today, 'pTrdAmt' => $r[1], 'pChannelType' => '1', 'pTrdBnkCode' => $parts[2],
            'pMerFee' => $r[2], 'pIpsFeeType' => '1',
        );
        $answer = $ips->page('doDpTrade.aspx', 'p', $fields);
        same('MG00000F', $answer->code, '充值');
        same(fen($r[1]), fen(field($answer, 'pTrdAmt')), 'pTrdAmt');
        $notice = $listener->await('/notify', $run . $no, 'MG00000F');
        same(field($answer, 'pIpsBillNo'), field($notice, 'pIpsBillNo'), 'pIpsBillNo by S2S');
        step('充值 ' . $r[0]['pRealName'], $answer, field($answer, 'pIpsBillNo') . ' ' . $r[1]);
        if ($no === 'R1') {
            $again = $ips->page('doDpTrade.aspx', 'p', $fields);
            same(field($answer, 'pIpsBillNo'), field($again, 'pIpsBillNo'), 'pIpsBillNo of the repetition');
            step('充值 重复提交', $again, '');
        }
    }
    $ips->balance($li['pIpsAcctNo'], '19999.25', '0.00');
    $ips->balance($zhang['pIpsAcctNo'], '500.07', '0.00');

    // A message with a broken signature moves nothing.
    $ips->forged('doDpTrade.aspx', array('pMerBillNo' => $run . 'RX', 'pAcctType' => '1') + $li + array(
        'pTrdDate' => $today, 'pTrdAmt' => '1000.00', 'pChannelType' => '1', 'pTrdBnkCode' => $parts[2],
        'pMerFee' => '0.00', 'pIpsFeeType' => '1',
    ));
    $ips->balance($li['pIpsAcctNo'], '19999.25', '0.00');

    // 4.3 标的登记: the borrower answers a text message meanwhile
    $bidNo = $run . 'BID';
    $subject = array(
        'pMerBillNo' => $run . 'B1', 'pBidNo' => $bidNo, 'pRegDate' => $today, 'pLendAmt' => '10000.00',
        'pGuaranteesAmt' => '100.00', 'pTrdLendRate' => '12.50', 'pTrdCycleType' => '3', 'pTrdCycleValue' => '6',
        'pLendPurpose' => '购房 & 装修', 'pRepayMode' => '1', 'pOperationType' => '1', 'pLendFee' => '50.00',
        'pAcctType' => '1',
    ) + $zhang;
    $answer = $ips->page('registerSubject.aspx', 'p', $subject);
    same('MG02500F', $answer->code, '标的登记');
    $notice = $listener->await('/notify', $run . 'B1', 'MG02501F');
    same('2', field($notice, 'pBidStatus'), 'pBidStatus by S2S');
    same(fen('100.00'), fen(field($notice, 'pRealFreezenAmt')), 'pRealFreezenAmt');
    step('标的登记', $answer, field($notice, 'pIpsBillNo') . ', S2S ' . $notice->code);
    $ips->balance($zhang['pIpsAcctNo'], '400.07', '100.00');

    // 4.4 登记债权人, as multipart/form-data: what cURL makes of an array
    $answer = $ips->page('registerCreditor.aspx', 'p', array(
        'pMerBillNo' => $run . 'C1', 'pMerDate' => $today, 'pBidNo' => $bidNo, 'pContractNo' => $run . 'CON',
        'pRegType' => '1', 'pAuthNo' => '', 'pAuthAmt' => '10000.00', 'pTrdAmt' => '10000.00', 'pFee' => '12.34',
        'pAcctType' => '1', 'pIdentNo' => $li['pIdentNo'], 'pRealName' => $li['pRealName'],
        'pAccount' => $li['pIpsAcctNo'], 'pUse' => '购房 & 装修',
    ), array('multipart' => true));
    same('MG00000F', $answer->code, '登记债权人');
    same(fen('10012.34'), fen(field($answer, 'pTransferAmt')), 'pTransferAmt');
    $notice = $listener->await('/notify', $run . 'C1', 'MG00000F');
    same(field($answer, 'pP2PBillNo'), field($notice, 'pP2PBillNo'), 'pP2PBillNo by S2S');
    step('登记债权人', $answer, field($answer, 'pP2PBillNo'));
    $ips->balance($li['pIpsAcctNo'], '9986.91', '10012.34');

    // 4.10 转账 type 1: the loan is full, its money is released
    $answer = $ips->call('Transfer', 'p', array(
        'pMerBillNo' => $run . 'T1', 'pBidNo' => $bidNo, 'pDate' => $today, 'pTransferType' => '1',
        'pTransferMode' => '1', 'pDetails' => array(array(
            'pOriMerBillNo' => $run . 'C1', 'pTrdAmt' => '10000.00', 'pFAcctType' => '1',
            'pFIpsAcctNo' => $li['pIpsAcctNo'], 'pFTrdFee' => '12.34', 'pTAcctType' => '1',
            'pTIpsAcctNo' => $zhang['pIpsAcctNo'], 'pTTrdFee' => '45.67',
        )),
    ));
    same('MG00008F', $answer->code, '转账');
    $notice = $listener->await('/notify', $run . 'T1', 'MG00000F');
    same(1, count($notice->xml->pDetails->pRow), 'rows');
    $row = $notice->xml->pDetails->pRow[0];
    same('Y', (string) $row->pStatus, 'pStatus of the row');
    same('1', (string) $row->pFAccType, 'pFAccType of the row');
    same(fen('10000.00'), fen((string) $row->pTrdAmt), 'pTrdAmt of the row');
    step('转账(放款)', $answer, 'S2S ' . $notice->code);
    $ips->balance($li['pIpsAcctNo'], '9986.91', '0.00');
    $ips->balance($zhang['pIpsAcctNo'], '10354.40', '100.00');

    // 4.12 解冻保证金, a part of it
    $answer = $ips->call('GuaranteeUnfreeze', 'arg', array(
        'pMerBillNo' => $run . 'U1', 'pBidNo' => $bidNo, 'pUnfreezeDate' => $today, 'pUnfreezeAmt' => '30.03',
        'pUnfreezenType' => '1', 'pAcctType' => '1',
    ) + $zhang);
    same('MG00000F', $answer->code, '解冻保证金');
    step('解冻保证金', $answer, field($answer, 'pIpsBillNo'));
    $ips->balance($zhang['pIpsAcctNo'], '10384.43', '69.97');

    // 4.11 还款
    $answer = $ips->page('RepaymentNewTrade.aspx', 'p', array(
        'pBidNo' => $bidNo, 'pRepaymentDate' => $today, 'pMerBillNo' => $run . 'P1', 'pRepayType' => '1',
        'pIpsAuthNo' => '', 'pOutAcctNo' => $zhang['pIpsAcctNo'], 'pOutAmt' => '10200.10', 'pOutFee' => '3.21',
        'pDetails' => array(array(
            'pCreMerBillNo' => $run . 'C1', 'pInAcctNo' => $li['pIpsAcctNo'], 'pInFee' => '5.55',
            'pOutInfoFee' => '3.21', 'pInAmt' => '10200.10',
        )),
    ));
    same('MG00008F', $answer->code, '还款');
    $notice = $listener->await('/notify', $run . 'P1', 'MG00000F');
    same('Y', (string) $notice->xml->pDetails->pRow[0]->pStatus, 'pStatus of the row');
    step('还款', $answer, 'S2S ' . $notice->code);
    $ips->balance($zhang['pIpsAcctNo'], '181.12', '69.97');
    $ips->balance($li['pIpsAcctNo'], '20181.46', '0.00');

    // 4.3 标的结束: no page is shown, the server posts it
    $answer = $ips->page('registerSubject.aspx', 'p', array('pOperationType' => '2') + $subject);
    same('MG02503F', $answer->code, '标的结束');
    $notice = $listener->await('/notify', $run . 'B1', 'MG02505F');
    same('10', field($notice, 'pBidStatus'), 'pBidStatus by S2S');
    step('标的结束', $answer, 'S2S ' . $notice->code);
    $ips->balance($zhang['pIpsAcctNo'], '251.09', '0.00');

    // 4.14 提现
    $answer = $ips->page('doDwTrade.aspx', 'p', array(
        'pMerBillNo' => $run . 'W1', 'pAcctType' => '1', 'pOutType' => '1', 'pBidNo' => '', 'pContractNo' => '',
        'pDwTo' => '',
    ) + $li + array('pDwDate' => $today, 'pTrdAmt' => '20000.00', 'pMerFee' => '2.00', 'pIpsFeeType' => '1'));
    same('MG00000F', $answer->code, '提现');
    $listener->await('/notify', $run . 'W1', 'MG00000F');
    step('提现', $answer, field($answer, 'pIpsBillNo'));
    $ips->balance($li['pIpsAcctNo'], '179.46', '0.00');

    // The other service, at the other address
    $user = $ips->query('ServiceQuery', 'QueryMerUserInfo', array('argIpsAccount' => $zhang['pIpsAcctNo']), array('argMemo' => '备注'));
    same('zhangsan@example.com', (string) $user->pEmail, 'pEmail');
    same('04', (string) $user->pStatus, 'pStatus');
    step('账户信息', $user, (string) $user->pEmail);

    $listener->verifyAll();
}

/** Answer is an answer whose signature held. */
class Answer
{
    public $code;
    public $message;
    public $xml;
}

/** Ips talks to the platform. */
class Ips
{
    private $base;
    private $listener;
    private $soap = array();

    public function __construct($base, $listener)
    {
        $this->base = $base;
        $this->listener = $listener;
    }

    /**
     * page posts a form as the browser would, reads the answer out of the page
     * that comes back and carries it on to pWebUrl.
     */
    public function page($page, $prefix, $fields, $options = array())
    {
        $web = $this->listener->url . '/return?order=' . $fields['pMerBillNo'] . '&from=ips';
        $memo = isset($options['memo']) ? $options['memo'] : '';
        $form = seal($prefix, document($fields + array(
            'pWebUrl' => $web, 'pS2SUrl' => $this->listener->url . '/notify?a=1&b=2',
            'pMemo1' => $memo, 'pMemo2' => '', 'pMemo3' => '',
        )));
        list($action, $inputs) = returnForm($this->post(
            $this->base . '/CreditWeb/' . $page, empty($options['multipart']) ? http_build_query($form) : $form));
        same($web, $action, 'action of the return form');
        $answer = open($inputs);
        same('ok', $this->post($action, http_build_query($inputs)), 'our own return page');
        $return = $this->listener->await('/return', $fields['pMerBillNo'], $answer->code);
        same($answer->xml->asXML(), $return->xml->asXML(), 'the web return');
        return $answer;
    }

    /** forged posts a form whose signature is wrong; no return form may come of it. */
    public function forged($page, $fields)
    {
        $form = seal('p', document($fields + array(
            'pWebUrl' => $this->listener->url . '/forged', 'pS2SUrl' => $this->listener->url . '/forged',
            'pMemo1' => '', 'pMemo2' => '', 'pMemo3' => '',
        )));
        $form['pSign'] = strrev($form['pSign']);
        $html = $this->post($this->base . '/CreditWeb/' . $page, http_build_query($form));
        same(false, strpos($html, 'MG00000F'), 'success for a forged message');
        same(false, strpos($html, 'action="' . $this->listener->url), 'way back for a forged message');
        echo "伪造签名: refused\n";
    }

    /** call calls the web service through the client that PHP builds from its WSDL. */
    public function call($operation, $prefix, $fields)
    {
        $sealed = seal($prefix, document($fields + array(
            'pS2SUrl' => $this->listener->url . '/notify?a=1&b=2', 'pMemo1' => '', 'pMemo2' => '', 'pMemo3' => '',
        )));
        $result = parse($this->result('Service', $operation, $sealed));
        $envelope = array();
        foreach ($result->children() as $name => $value) {
            $envelope[$name] = (string) $value;
        }
        $answer = open($envelope);
        same($fields['pMerBillNo'], field($answer, 'pMerBillNo'), 'pMerBillNo');
        return $answer;
    }

    /** query asks what is neither encrypted nor, as far as is known, signed in a known way. */
    public function query($service, $operation, $signed, $unsigned = array())
    {
        $params = array('argMerCode' => MER_CODE) + $signed
            + array('argSign' => md5(MER_CODE . implode('', $signed) . CERT)) + $unsigned;
        $answer = parse($this->result($service, $operation, $params));
        same('0000', (string) $answer->pErrCode, $operation);
        same(MER_CODE, (string) $answer->pMerCode, 'pMerCode of ' . $operation);
        return $answer;
    }

    /** balance insists on what an account has. */
    public function balance($account, $available, $frozen)
    {
        $b = $this->query('Service', 'QueryForAccBalance', array('argIpsAccount' => $account));
        same($account, (string) $b->pIpsAcctNo, 'pIpsAcctNo of the balance');
        same(fen($available), fen((string) $b->pBalance), 'pBalance of ' . $account);
        same(fen($frozen), fen((string) $b->pLock), 'pLock of ' . $account);
        same(0, fen((string) $b->pNeedstl), 'pNeedstl of ' . $account);
        step('余额 ' . $account, $b, $b->pBalance . ' + ' . $b->pLock);
    }

    private function result($service, $operation, $params)
    {
        $path = array('Service' => '/CreditWS/Service.asmx', 'ServiceQuery' => '/CreditWSQuery/Service.asmx');
        if (!isset($this->soap[$service])) {
            // Both versions of SOAP are in both WSDLs; each service gets another.
            $this->soap[$service] = new SoapClient($this->base . $path[$service] . '?wsdl', array(
                'connection_timeout' => 20, 'soap_version' => $service === 'Service' ? SOAP_1_1 : SOAP_1_2,
            ));
        }
        $name = $operation . 'Result';
        return $this->soap[$service]->$operation($params)->$name;
    }

    private function post($url, $body)
    {
        $curl = curl_init($url);
        curl_setopt_array($curl, array(
            CURLOPT_POST => true, CURLOPT_POSTFIELDS => $body, CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => 20, CURLOPT_NOPROXY => '*',
        ));
        $answer = curl_exec($curl);
        if ($answer === false) {
            throw new Exception($url . ': ' . curl_error($curl));
        }
        same(200, curl_getinfo($curl, CURLINFO_HTTP_CODE), 'HTTP status of ' . $url);
        return $answer;
    }
}

/** Listener is the platform's own web server, in a process of its own. */
class Listener
{
    public $url;
    private $server;
    private $file;

    public function __construct($port)
    {
        $this->file = tempnam(sys_get_temp_dir(), 'ips');
        register_shutdown_function(array($this, 'stop'));
        // Between finding a free port and using it somebody else may take it.
        for ($tries = $port === 0 ? 3 : 1; $tries > 0; $tries--) {
            if ($this->start($port === 0 ? freePort() : $port)) {
                return;
            }
        }
        throw new Exception('no server for the notifications');
    }

    private function start($port)
    {
        $this->url = 'http://127.0.0.1:' . $port;
        $command = array(PHP_BINARY, '-S', '127.0.0.1:' . $port, __DIR__ . '/notify.php');
        $this->server = proc_open($command, array(array('null'), array('null'), array('null')), $pipes, null,
            array('NOTIFY_FILE' => $this->file));
        for ($end = microtime(true) + 10; microtime(true) < $end; usleep(20000)) {
            $status = proc_get_status($this->server);
            if (!$status['running']) {
                return false;
            }
            $connection = @stream_socket_client('tcp://127.0.0.1:' . $port, $code, $text, 1);
            if ($connection !== false) {
                fclose($connection);
                return true;
            }
        }
        return false;
    }

    public function stop()
    {
        if ($this->server) {
            proc_terminate($this->server);
            proc_close($this->server);
            $this->server = null;
        }
        if (is_file($this->file)) {
            unlink($this->file);
        }
    }

    /** await returns the answer with this order and code that was posted to path. */
    public function await($path, $order, $code)
    {
        for ($end = microtime(true) + 20; microtime(true) < $end; usleep(20000)) {
            foreach ($this->received() as $message) {
                if (parse_url($message['url'], PHP_URL_PATH) !== $path || $message['post']['pErrCode'] !== $code) {
                    continue;
                }
                $answer = open($message['post']);
                if (field($answer, 'pMerBillNo') === $order) {
                    return $answer;
                }
            }
        }
        throw new Exception("nothing came to $path for order $order with code $code");
    }

    /** verifyAll insists that nothing came that does not verify. */
    public function verifyAll()
    {
        $all = $this->received();
        foreach ($all as $message) {
            same(false, strpos($message['url'], '/forged'), 'an answer to the forged message');
            open($message['post']);
        }
        echo count($all) . " messages received, all verified\n";
    }

    private function received()
    {
        $lines = explode("\n", file_get_contents($this->file));
        array_pop($lines); // what follows the last line break is not complete
        $messages = array();
        foreach ($lines as $line) {
            $messages[] = json_decode($line, true);
        }
        return $messages;
    }
}

function freePort()
{
    $socket = stream_socket_server('tcp://127.0.0.1:0');
    $name = stream_socket_get_name($socket, false);
    fclose($socket);
    return (int) substr(strrchr($name, ':'), 1);
}

/** document writes a <pReq>; rows are an array of arrays, addresses and memos CDATA. */
function document($fields)
{
    return '<?xml version="1.0" encoding="utf-8"?><pReq>' . elements($fields) . '</pReq>';
}

function elements($fields)
{
    $xml = '';
    foreach ($fields as $name => $value) {
        if (is_array($value)) {
            $content = '';
            foreach ($value as $row) {
                $content .= '<pRow>' . elements($row) . '</pRow>';
            }
        } elseif (preg_match('/Url$|^pMemo/', $name)) {
            $content = '<![CDATA[' . $value . ']]>';
        } else {
            $content = htmlspecialchars($value, ENT_QUOTES, 'UTF-8');
        }
        $xml .= "<$name>$content</$name>";
    }
    return $xml;
}

/** seal encrypts and signs a document. */
function seal($prefix, $document)
{
    $body = base64_encode(openssl_encrypt($document, 'des-ede3-cbc', DES_KEY, OPENSSL_RAW_DATA, DES_IV));
    return array(
        $prefix . 'MerCode' => MER_CODE,
        $prefix . '3DesXmlPara' => $body,
        $prefix . 'Sign' => md5(MER_CODE . $body . CERT),
    );
}

/** open verifies an answer, then decrypts it. */
function open($envelope)
{
    $names = array('pMerCode', 'pErrCode', 'pErrMsg', 'p3DesXmlPara', 'pSign');
    same($names, array_keys($envelope), 'fields of the envelope');
    same(MER_CODE, $envelope['pMerCode'], 'pMerCode');
    $plain = $envelope['pMerCode'] . $envelope['pErrCode'] . $envelope['pErrMsg'] . $envelope['p3DesXmlPara'] . CERT;
    same(true, verify($plain, $envelope['pSign']), 'signature of ' . $envelope['pErrCode']);
    $document = openssl_decrypt(base64_decode($envelope['p3DesXmlPara'], true), 'des-ede3-cbc', DES_KEY, OPENSSL_RAW_DATA, DES_IV);
    // The platform begins every document with a byte order mark, so merchants
    // cut three bytes off without looking. This one looks.
    same("\xEF\xBB\xBF", substr($document, 0, 3), 'the first three bytes');
    $answer = new Answer();
    $answer->code = $envelope['pErrCode'];
    $answer->message = $envelope['pErrMsg'];
    $answer->xml = parse(substr($document, 3));
    return $answer;
}

function verify($plain, $sign)
{
    $pem = getenv('IPS_PUBLIC_KEY');
    if ($pem === false || $pem === '') {
        return hash_equals(md5($plain), $sign);
    }
    return strlen($sign) === 256 && openssl_verify($plain, hex2bin($sign), $pem, OPENSSL_ALGO_MD5) === 1;
}

function parse($document)
{
    $xml = simplexml_load_string($document, 'SimpleXMLElement', LIBXML_NOCDATA | LIBXML_NONET);
    same('pReq', $xml->getName(), 'the root element');
    return $xml;
}

/**
 * returnForm reads the second form of a page, the first being ASP.NET's own:
 * where it goes and its hidden inputs.
 */
function returnForm($html)
{
    $page = new DOMDocument();
    $before = libxml_use_internal_errors(true);
    $page->loadHTML('<?xml encoding="UTF-8">' . $html);
    libxml_use_internal_errors($before);
    $forms = $page->getElementsByTagName('form');
    if ($forms->length !== 2) {
        throw new Exception('want two forms on the page, got ' . $forms->length . ': ' . trim(strip_tags($html)));
    }
    $form = $forms->item(1);
    same('post', strtolower($form->getAttribute('method')), 'method of the return form');
    $inputs = array();
    foreach ($form->getElementsByTagName('input') as $input) {
        if ($input->getAttribute('type') === 'hidden') {
            $inputs[$input->getAttribute('name')] = $input->getAttribute('value');
        }
    }
    return array($form->getAttribute('action'), $inputs);
}

/** field is an element that an answer must have. */
function field($answer, $name)
{
    if (!isset($answer->xml->$name)) {
        throw new Exception("answer $answer->code ($answer->message) has no $name");
    }
    return (string) $answer->xml->$name;
}

/** fen reads 500, 0 or 3050.00 yuan. */
function fen($yuan)
{
    if (!preg_match('/^(-?)([0-9]+)(?:\.([0-9]{1,2}))?$/', $yuan, $m)) {
        throw new Exception("not an amount: $yuan");
    }
    $fen = $m[2] * 100 + (int) str_pad(isset($m[3]) ? $m[3] : '', 2, '0');
    return $m[1] === '-' ? -$fen : $fen;
}

function same($want, $got, $what)
{
    if ($want !== $got) {
        throw new Exception("$what: want " . var_export($want, true) . ', got ' . var_export($got, true));
    }
}

/** step prints what was done and the code that came back. */
function step($what, $answer, $detail)
{
    $code = $answer instanceof Answer ? $answer->code : (string) $answer->pErrCode;
    echo rtrim("$what: $code $detail") . "\n";
}
