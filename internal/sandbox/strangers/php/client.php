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
    $ips = new Ips($base, $listener);
    loan($ips, $listener);
    shapes($ips, $listener);
    $listener->verifyAll();
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
}

/**
 * shapes tells of another loan in the shapes that merchants' programs really
 * sent: blanks in tags, lines of Base64 broken and signed as they are, numbers
 * where none are wanted, a claim that was sold under each of its numbers, and
 * pages posted from the server of which a part is read as XML.
 */
function shapes($ips, $listener)
{
    $today = date('Ymd');
    $run = 'SHP' . date('YmdHis');
    $people = array();
    foreach (array('wang' => array('3', '王五', '5000'), 'zhao' => array('4', '赵六', '20000'),
                   'li' => array('5', '李四', '10000.0'), 'zhang' => array('6', '张三', '3000')) as $key => $who) {
        $person = array('pIdentNo' => '11010119900101000' . $who[0], 'pRealName' => $who[1]);
        $answer = $ips->page('CreateNewIpsAcct.aspx', 'arg', array('pMerBillNo' => $run . 'A' . $who[0], 'pIdentType' => '1') + $person + array(
            'pMobileNo' => '1380000000' . $who[0], 'pEmail' => 'php' . $who[0] . '@example.com', 'pSmDate' => $today));
        same('MG00000F', $answer->code, '开户');
        $person['pIpsAcctNo'] = field($answer, 'pIpsAcctNo');
        $answer = $ips->page('doDpTrade.aspx', 'p', array('pMerBillNo' => $run . 'R' . $who[0], 'pAcctType' => '1') + $person + array(
            'pTrdDate' => $today, 'pTrdAmt' => $who[2], 'pChannelType' => '1', 'pTrdBnkCode' => '00004', 'pMerFee' => '0', 'pIpsFeeType' => '1'));
        same('MG00000F', $answer->code, '充值');
        $people[$key] = $person;
    }
    extract($people);

    // Contracts: loans counted in days, though every bid is in months.
    $answer = $ips->page('AutoNewSigning.aspx', 'p', array('pMerBillNo' => $run . 'S1', 'pSigningDate' => $today) + $zhao + array(
        'pValidType' => 'M', 'pValidDate' => '12', 'pTrdCycleType' => 'D', 'pSTrdCycleValue' => '1', 'pETrdCycleValue' => '1800',
        'pSAmtQuota' => '1.00', 'pEAmtQuota' => '100000.00', 'pSIRQuota' => '1.00', 'pEIRQuota' => '40.00'));
    same('MG00000F', $answer->code, '自动投标签约');
    $bidding = field($answer, 'pIpsAuthNo');
    $answer = $ips->page('RepaymentSigning.aspx', 'p', array('pMerBillNo' => $run . 'S2', 'pSigningDate' => $today, 'pIdentType' => '1') + $wang + array(
        'pValidType' => 'N', 'pValidDate' => '0'));
    same('MG00000F', $answer->code, '自动还款签约');
    $repaying = field($answer, 'pIpsAuthNo');

    // A bid and a guarantor, with blanks in tags and slashes doubled.
    $bidNo = $run . 'BID';
    $subject = array(
        'pMerBillNo' => $run . 'B1', 'pBidNo' => $bidNo, 'pRegDate' => $today, 'pLendAmt' => '3000.00', 'pGuaranteesAmt' => '0.00',
        'pTrdLendRate' => '12.00', 'pTrdCycleType' => '3', 'pTrdCycleValue' => '60', 'pLendPurpose' => '买车', 'pRepayMode' => '99',
        'pOperationType' => '1', 'pLendFee' => '0.00', 'pAcctType' => '1') + $wang;
    $answer = $ips->page('/registerSubject.aspx', 'p', $subject, array('blanks' => array('pLendPurpose'), 'slashes' => '/'));
    same('MG02500F', $answer->code, '标的登记');
    $listener->await('/notify', $run . 'B1', 'MG02501F');
    $answer = $ips->page('registerGuarantor.aspx', 'p', array(
        'pMerBillNo' => $run . 'G1', 'pMerDate' => $today, 'pBidNo' => $bidNo, 'pAmount' => '2000.00', 'pMarginAmt' => '0.00',
        'pProFitAmt' => '0.00', 'pAcctType' => '1', 'pFromIdentNo' => $zhang['pIdentNo'], 'pAccountName' => $zhang['pRealName'],
        'pAccount' => $zhang['pIpsAcctNo']), array('blanks' => array('pAccountName', 'pBidNo')));
    same('MG00000F', $answer->code, '登记担保方');
    step('标签带空格', $answer, '');

    // Bids: by hand with an authorisation number, and by contract, posted from
    // the server. The contract's number is the same for all creditors.
    $creditor = function ($no, $type, $auth, $amount) use ($run, $today, $bidNo, $zhao) {
        return array('pMerBillNo' => $run . $no, 'pMerDate' => $today, 'pBidNo' => $bidNo, 'pContractNo' => $run . 'CON', 'pRegType' => $type,
            'pAuthNo' => $auth, 'pAuthAmt' => $amount, 'pTrdAmt' => $amount, 'pFee' => '0.00', 'pAcctType' => '1', 'pIdentNo' => $zhao['pIdentNo'],
            'pRealName' => $zhao['pRealName'], 'pAccount' => $zhao['pIpsAcctNo'], 'pUse' => '买车');
    };
    $answer = $ips->page('registerCreditor.aspx', 'p', $creditor('C1', '1', '1', '1000.00'));
    same('MG00000F', $answer->code, '手动投标带授权号');
    $answer = $ips->page('registerCreditor.aspx', 'p', $creditor('C2', '2', $bidding, '2000.00'), array('cut' => 1));
    same('MG00000F', $answer->code, '自动投标');
    step('自动投标 页面按XML读取', $answer, '');

    // The release has the number of the bid's registration, and broken lines.
    $row = function ($claim, $amount, $from, $to) {
        return array('pOriMerBillNo' => $claim, 'pTrdAmt' => $amount, 'pFAcctType' => '1', 'pFIpsAcctNo' => $from['pIpsAcctNo'],
            'pFTrdFee' => '0.00', 'pTAcctType' => '1', 'pTIpsAcctNo' => $to['pIpsAcctNo'], 'pTTrdFee' => '0.00');
    };
    $transfer = function ($no, $type, $rows, $ending) use ($ips, $run, $today, $bidNo) {
        return $ips->call('Transfer', 'p', array('pMerBillNo' => $run . $no, 'pBidNo' => $bidNo, 'pDate' => $today, 'pTransferType' => $type,
            'pTransferMode' => '1', 'pDetails' => $rows), $ending);
    };
    $answer = $transfer('B1', '1', array($row($run . 'C1', '1000.00', $zhao, $wang), $row($run . 'C2', '2000.00', $zhao, $wang)), "\n");
    same('MG00008F', $answer->code, '放款');
    everyRow('Y', $listener->await('/notify', $run . 'B1', 'MG00000F'), 2);
    step('放款 Base64按LF换行', $answer, '');

    // The claim is sold, and a part of it sold on under the transfer's number.
    $sale = function ($no, $claim, $type, $amount, $from, $to) use ($ips, $run, $today, $bidNo) {
        return $ips->page('registerCretansfer.aspx', 'p', array(
            'pMerBillNo' => $run . $no, 'pMerDate' => $today, 'pBidNo' => $bidNo, 'pContractNo' => $bidNo, 'pFromAccountType' => '1',
            'pFromName' => $from['pRealName'], 'pFromAccount' => $from['pIpsAcctNo'], 'pFromIdentType' => '1', 'pFromIdentNo' => $from['pIdentNo'],
            'pToAccountType' => '1', 'pToAccountName' => $to['pRealName'], 'pToAccount' => $to['pIpsAcctNo'], 'pToIdentType' => '1',
            'pToIdentNo' => $to['pIdentNo'], 'pCreMerBillNo' => $run . $claim, 'pCretAmt' => $amount, 'pPayAmt' => $amount, 'pFromFee' => '0.00',
            'pToFee' => '0.00', 'pCretType' => $type));
    };
    same('MG00000F', $sale('D1', 'C1', '1', '1000.00', $zhao, $li)->code, '债权转让登记');
    same('MG00000F', $transfer('T4', '4', array($row($run . 'D1', '1000.00', $li, $zhao)), "\r\n")->code, '债权转让');
    $answer = $sale('D2', 'T4', '2', '400.00', $li, $zhao);
    same('MG00000F', $answer->code, '再次转让');
    same('MG00000F', $transfer('T5', '4', array($row($run . 'D2', '400.00', $zhao, $li)), '')->code, '再次转让');
    step('再次转让 按转账订单号', $answer, '');

    // Repaid by each of its three numbers, with an authorisation of 0.
    $repay = function ($no, $type, $auth, $rows) use ($run, $today, $bidNo, $wang) {
        $sum = 0;
        $details = array();
        foreach ($rows as $r) {
            $sum += fen($r[2]);
            $details[] = array('pCreMerBillNo' => $run . $r[0], 'pInAcctNo' => $r[1]['pIpsAcctNo'], 'pInFee' => '0.00', 'pOutInfoFee' => '0.00', 'pInAmt' => $r[2]);
        }
        return array('pMerBillNo' => $run . $no, 'pRepaymentDate' => $today, 'pBidNo' => $bidNo, 'pRepayType' => $type, 'pIpsAuthNo' => $auth,
            'pOutAcctNo' => $wang['pIpsAcctNo'], 'pOutFee' => '0.00', 'pOutAmt' => sprintf('%d.%02d', $sum / 100, $sum % 100), 'pDetails' => $details);
    };
    $answer = $ips->page('RepaymentNewTrade.aspx', 'p', $repay('P1', '1', '0', array(
        array('T4', $li, '100.00'), array('D1', $li, '100.00'), array('C1', $li, '100.00'))));
    same('MG00008F', $answer->code, '还款');
    everyRow('Y', $listener->await('/notify', $run . 'P1', 'MG00000F'), 3);
    step('还款 按三种债权订单号', $answer, '');

    // Compensated by the transfer's number, and given back.
    same('MG00008F', $transfer('T2', '2', array($row($run . 'T4', '50.00', $zhang, $li)), "\n")->code, '代偿');
    everyRow('Y', $listener->await('/notify', $run . 'T2', 'MG00000F'), 1);
    same('MG00000F', $transfer('T3', '3', array($row($run . 'T2', '50.00', $wang, $zhang)), '')->code, '代偿还款');

    // The rest by contract, posted from the server.
    $answer = $ips->page('RepaymentNewTrade.aspx', 'p', $repay('P2', '2', $repaying, array(
        array('C2', $zhao, '2000.00'), array('T4', $li, '250.00'), array('T5', $zhao, '400.00'))), array('cut' => 0));
    same('MG00008F', $answer->code, '自动还款');
    everyRow('Y', $listener->await('/notify', $run . 'P2', 'MG00000F'), 3);
    step('自动还款 页面按XML读取', $answer, '');

    // The end, posted from the server, and once more.
    $end = array('pOperationType' => '2') + $subject;
    $answer = $ips->page('registerSubject.aspx', 'p', $end, array('cut' => 1, 'blanks' => array('pLendPurpose')));
    same('MG02503F', $answer->code, '标的结束');
    $listener->await('/notify', $run . 'B1', 'MG02505F');
    $answer = $ips->page('registerSubject.aspx', 'p', $end, array('cut' => 1));
    same('MG02030F', $answer->code, '标的再次结束');
    step('标的结束 页面按XML读取', $answer, '');

    // What is meant for directed withdrawals only.
    $answer = $ips->page('doDwTrade.aspx', 'p', array('pMerBillNo' => $run . 'W1', 'pAcctType' => '1', 'pOutType' => '1', 'pBidNo' => '1',
        'pContractNo' => '1', 'pDwTo' => '1') + $zhao + array('pDwDate' => $today, 'pTrdAmt' => '100.00', 'pMerFee' => '0.00', 'pIpsFeeType' => '1'));
    same('MG00000F', $answer->code, '提现');

    foreach (array('wang' => '5000', 'zhao' => '19900', 'li' => '10000', 'zhang' => '3000') as $key => $amount) {
        $ips->balance($people[$key]['pIpsAcctNo'], $amount, '0.00');
    }

    // How an order ended, at either service.
    foreach (array('Service', 'ServiceQuery') as $service) {
        foreach (array(array('P1', '11', '1'), array('B1', '14', '1'), array('NO', '08', '4')) as $q) {
            $answer = $ips->call('QueryTrade', 'p', array('pMerBillNo' => $run . $q[0], 'pTradeType' => $q[1]), '', $service);
            same('MG00000F', $answer->code, '交易查询');
            same($q[2], field($answer, 'pTradeStatue'), 'pTradeStatue of ' . $q[0]);
        }
    }
    $nobody = $ips->query('ServiceQuery', 'QueryMerUserInfo', array('argIpsAccount' => '4021999999999999'), array('argMemo' => ''), '02');
    step('交易查询', $answer, '');
}

/** everyRow insists on the fate of all rows of a batch. */
function everyRow($want, $notice, $rows)
{
    same($rows, count($notice->xml->pDetails->pRow), 'rows');
    foreach ($notice->xml->pDetails->pRow as $row) {
        same($want, (string) $row->pStatus, 'pStatus: ' . $row->pMessage);
    }
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
        $document = document($fields + array(
            'pWebUrl' => $web, 'pS2SUrl' => $this->listener->url . '/notify?a=1&b=2',
            'pMemo1' => $memo, 'pMemo2' => '', 'pMemo3' => '',
        ));
        foreach (isset($options['blanks']) ? $options['blanks'] : array() as $name) {
            $document = str_replace(array("<$name>", "</$name>"), array("<$name >", "</$name >"), $document);
        }
        $form = seal($prefix, $document);
        $heard = count($this->listener->notices($fields['pMerBillNo']));
        $html = $this->post($this->base . (isset($options['slashes']) ? $options['slashes'] : '') . '/CreditWeb/' . $page,
            empty($options['multipart']) ? http_build_query($form) : $form);
        same($heard, count($this->listener->notices($fields['pMerBillNo'])), 'notifications before the answer');
        list($action, $inputs) = isset($options['cut']) ? cutForm($html, $options['cut']) : returnForm($html);
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
    public function call($operation, $prefix, $fields, $ending = '', $service = 'Service')
    {
        $sealed = seal($prefix, document($fields + array(
            'pS2SUrl' => $this->listener->url . '/notify?a=1&b=2', 'pMemo1' => '', 'pMemo2' => '', 'pMemo3' => '',
        )), $ending);
        $heard = count($this->listener->notices($fields['pMerBillNo']));
        $result = parse($this->result($service, $operation, $sealed));
        if ($operation !== 'QueryTrade') { // which causes none, and something may still be on its way
            same($heard, count($this->listener->notices($fields['pMerBillNo'])), 'notifications before the answer');
        }
        $envelope = array();
        foreach ($result->children() as $name => $value) {
            $envelope[$name] = (string) $value;
        }
        $answer = open($envelope);
        same($fields['pMerBillNo'], field($answer, 'pMerBillNo'), 'pMerBillNo');
        return $answer;
    }

    /** query asks what is not encrypted. Its answer is signed over elements with their tags. */
    public function query($service, $operation, $signed, $unsigned = array(), $code = '0000')
    {
        $params = array('argMerCode' => MER_CODE) + $signed
            + array('argSign' => md5(MER_CODE . implode('', $signed) . CERT)) + $unsigned;
        $answer = parse($this->result($service, $operation, $params));
        same($code, (string) $answer->pErrCode, $operation);
        same(MER_CODE, (string) $answer->pMerCode, 'pMerCode of ' . $operation);
        $text = '';
        foreach ($answer->children() as $name => $value) {
            $left = $operation === 'QueryMerUserInfo' ? array('pSign', 'pErrCode', 'pErrMsg', 'pMemo') : array('pSign');
            $text .= in_array($name, $left, true) ? '' : "<$name>$value</$name>";
        }
        same(md5($text . CERT), (string) $answer->pSign, 'pSign of ' . $operation);
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

    /** notices are the answers to an order that came server to server. */
    public function notices($order)
    {
        $found = array();
        foreach ($this->received() as $message) {
            if (parse_url($message['url'], PHP_URL_PATH) === '/notify' && field(open($message['post']), 'pMerBillNo') === $order) {
                $found[] = $message;
            }
        }
        return $found;
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

/** seal encrypts and signs a document, whose Base64 is broken and signed as it is. */
function seal($prefix, $document, $ending = '')
{
    $body = base64_encode(openssl_encrypt($document, 'des-ede3-cbc', DES_KEY, OPENSSL_RAW_DATA, DES_IV));
    if ($ending !== '') {
        $body = implode($ending, str_split($body, 76));
    }
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
 * returnForm reads the form of a page that has a signature: where it goes and
 * its hidden inputs. ASP.NET's own comes first.
 */
function returnForm($html)
{
    $page = new DOMDocument();
    $before = libxml_use_internal_errors(true);
    $page->loadHTML('<?xml encoding="UTF-8">' . $html);
    libxml_use_internal_errors($before);
    foreach ($page->getElementsByTagName('form') as $form) {
        $inputs = array();
        foreach ($form->getElementsByTagName('input') as $input) {
            if ($input->getAttribute('type') === 'hidden') {
                $inputs[$input->getAttribute('name')] = $input->getAttribute('value');
            }
        }
        if (isset($inputs['pSign'])) {
            same('post', strtolower($form->getAttribute('method')), 'method of the return form');
            return array($form->getAttribute('action'), $inputs);
        }
    }
    throw new Exception('no return form on the page: ' . trim(strip_tags($html)));
}

/**
 * cutForm reads the page as merchants' servers do: it cuts it behind each form
 * and reads one of the parts as XML.
 */
function cutForm($html, $which)
{
    $parts = explode('</form>', $html);
    $form = simplexml_load_string(trim($parts[$which] . '</form>'));
    same('form', $form->getName(), 'the root element of the part');
    $inputs = array();
    foreach ($form->children() as $name => $input) {
        same('input', $name, 'what is in the form');
        $inputs[(string) $input['name']] = (string) $input['value'];
    }
    return array((string) $form['action'], $inputs);
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
