import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.math.BigDecimal;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/**
 * A P2P platform in Java, with the JDK and nothing else: the whole life of one
 * loan, told to the custody platform whose address it is given. It knows
 * nothing but the wire, and writes each message in another of the ways that
 * the platform takes.
 *
 * <pre>java -Dfile.encoding=UTF-8 Client.java BASE_URL [PORT]</pre>
 *
 * PORT is where it listens for notifications, by default any free one. With
 * IPS_PUBLIC_KEY (PEM) in the environment answers must be signed MD5withRSA,
 * else MD5. It prints a line for each step and exits with 0 only if every
 * answer verified and every balance was right to the fen.
 */
public class Client {
    // The merchant of the platform's test environment.
    static final String MER_CODE = "808801";
    static final String CERT = "GPhKt7sh4dxQQZZkINGFtefRKNPyAj8S00cgAwtRyy0ufD7alNC28xCBKpa6IU7u54zzWSAv4PqUDKMgpOnM7fucO1wuwMi4RgPAnietmqYIhHXZ3TqTGKNzkxA55qYH";
    static final String DES_KEY = "ICHuQplJ0YR9l7XeVNKi6FMn";
    static final String DES_IV = "2EDxsEfp";

    static final String SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/";
    static final String SOAP12 = "http://www.w3.org/2003/05/soap-envelope";
    static final String WSDL = "http://schemas.xmlsoap.org/wsdl/";
    static final String WSDL_SOAP11 = "http://schemas.xmlsoap.org/wsdl/soap/";
    static final String WSDL_SOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/";

    static final Duration PATIENCE = Duration.ofSeconds(20);

    public static void main(String[] args) {
        if (args.length < 1) {
            System.err.println("usage: java -Dfile.encoding=UTF-8 Client.java BASE_URL [PORT]");
            System.exit(2);
        }
        int exit = 1;
        try (Listener listener = new Listener(args.length > 1 ? Integer.parseInt(args[1]) : 0)) {
            Client client = new Client(args[0].replaceAll("/$", ""), listener);
            client.loan();
            client.shapes();
            listener.verifyAll();
            say("all verified");
            exit = 0;
        } catch (Exception e) {
            System.err.println("FAILED: " + e + " at " + Arrays.stream(e.getStackTrace())
                    .filter(f -> f.getClassName().startsWith("Client")).toList());
        }
        System.exit(exit);
    }

    final String base;
    final Listener listener;
    final HttpClient http = HttpClient.newBuilder().connectTimeout(PATIENCE).proxy(HttpClient.Builder.NO_PROXY).build();

    Client(String base, Listener listener) {
        this.base = base;
        this.listener = listener;
    }

    /** An account holder. */
    static class Person {
        final String id, name, mobile, email;
        String account;

        Person(String id, String name, String mobile, String email) {
            this.id = id;
            this.name = name;
            this.mobile = mobile;
            this.email = email;
        }
    }

    /** Tells the story. */
    void loan() throws Exception {
        LocalDateTime now = LocalDateTime.now(ZoneId.of("Asia/Shanghai"));
        String today = now.format(DateTimeFormatter.ofPattern("yyyyMMdd"));
        String run = "JAVA" + now.format(DateTimeFormatter.ofPattern("yyyyMMddHHmmss"));
        Person zhang = new Person("110101199001010001", "张三", "13800000000", "zhangsan@example.com");
        Person li = new Person("110101199001010002", "李四", "13800000001", "lisi@example.com");

        Service trade = new Service("/CreditWS/Service.asmx");
        for (String op : List.of("Transfer", "GuaranteeUnfreeze", "CoDpTrade", "QueryForAccBalance", "GetBankList")) {
            check(trade.params.containsKey(op), "the WSDL has no " + op);
        }
        say("WSDL: " + trade.address + " " + trade.params.keySet());

        // 4.2 开户: CDATA and arg* names; then escaped text and p* names
        open(zhang, run + "A1", today, new Style().cdata(), "arg");
        open(li, run + "A2", today, new Style(), "p");
        balance(trade, zhang, "0.00", "0.00");

        // 4.9 充值: the bank's code comes out of 银行名称|别名|编号#…
        Element banks = trade.query("GetBankList", fields());
        String[] bank = text(banks, "pBankList").split("#")[0].split("\\|");
        same(3, bank.length, "parts of a bank");
        say("银行列表: " + text(banks, "pErrCode") + " " + bank[0] + " " + bank[2]);
        recharge(li, run + "R1", today, bank[2], "20000.50", "1.25", "doDpTrade.aspx", new Style().brokenLines());
        recharge(zhang, run + "R2", today, bank[2], "500.07", "0.00", "DODPTRADE.ASPX", new Style());
        balance(trade, li, "19999.25", "0.00");
        balance(trade, zhang, "500.07", "0.00");

        // 4.3 标的登记, its elements in another order
        String bidNo = run + "BID";
        Map<String, String> subject = fields("pMerBillNo", run + "B1", "pBidNo", bidNo, "pRegDate", today,
                "pLendAmt", "10000.00", "pGuaranteesAmt", "100.00", "pTrdLendRate", "12.50", "pTrdCycleType", "3",
                "pTrdCycleValue", "6", "pLendPurpose", "购房 & 装修", "pRepayMode", "1", "pOperationType", "1",
                "pLendFee", "50.00", "pAcctType", "1", "pIdentNo", zhang.id, "pRealName", zhang.name,
                "pIpsAcctNo", zhang.account);
        Answer answer = page("registerSubject.aspx", "p", subject, new Style().shuffled());
        same("MG02500F", answer.code, "标的登记");
        Answer notice = listener.await("/notify", run + "B1", "MG02501F");
        same("2", notice.get("pBidStatus"), "pBidStatus by S2S");
        step("标的登记", answer, notice.get("pIpsBillNo") + ", S2S " + notice.code);
        balance(trade, zhang, "400.07", "100.00");

        // 4.4 登记债权人
        answer = page("REGISTERCREDITOR.aspx", "p", fields("pMerBillNo", run + "C1", "pMerDate", today, "pBidNo", bidNo,
                "pContractNo", run + "CON", "pRegType", "1", "pAuthNo", "", "pAuthAmt", "10000.00",
                "pTrdAmt", "10000.00", "pFee", "12.34", "pAcctType", "1", "pIdentNo", li.id, "pRealName", li.name,
                "pAccount", li.account, "pUse", "购房 & 装修"), new Style());
        same("MG00000F", answer.code, "登记债权人");
        same(fen("10012.34"), fen(answer.get("pTransferAmt")), "pTransferAmt");
        notice = listener.await("/notify", run + "C1", "MG00000F");
        same(answer.get("pP2PBillNo"), notice.get("pP2PBillNo"), "pP2PBillNo by S2S");
        step("登记债权人", answer, answer.get("pP2PBillNo"));
        balance(trade, li, "9986.91", "10012.34");

        // 4.10 转账 type 1, batched, with broken Base64 lines inside the envelope
        Map<String, String> release = fields("pMerBillNo", run + "T1", "pBidNo", bidNo, "pDate", today,
                "pTransferType", "1", "pTransferMode", "2", "pDetails", rows(fields("pOriMerBillNo", run + "C1",
                        "pTrdAmt", "10000.00", "pFAcctType", "1", "pFIpsAcctNo", li.account, "pFTrdFee", "12.34",
                        "pTAcctType", "1", "pTIpsAcctNo", zhang.account, "pTTrdFee", "45.67")));
        trade.forged("Transfer", release);
        balance(trade, zhang, "400.07", "100.00");
        answer = trade.call("Transfer", release, new Style().brokenLines(), SOAP11);
        same("MG00008F", answer.code, "转账");
        notice = listener.await("/notify", run + "T1", "MG00000F");
        Element row = notice.row();
        same("Y", text(row, "pStatus"), "pStatus of the row");
        same("1", text(row, "pFAccType"), "pFAccType of the row");
        same(fen("10000.00"), fen(text(row, "pTrdAmt")), "pTrdAmt of the row");
        step("转账(放款)", answer, "S2S " + notice.code);
        balance(trade, li, "9986.91", "0.00");
        balance(trade, zhang, "10354.40", "100.00");

        // 4.12 解冻保证金 over SOAP 1.2, a part of it
        answer = trade.call("GuaranteeUnfreeze", fields("pMerBillNo", run + "U1", "pBidNo", bidNo,
                "pUnfreezeDate", today, "pUnfreezeAmt", "30.03", "pUnfreezenType", "1", "pAcctType", "1",
                "pIdentNo", zhang.id, "pRealName", zhang.name, "pIpsAcctNo", zhang.account), new Style(), SOAP12);
        same("MG00000F", answer.code, "解冻保证金");
        step("解冻保证金", answer, answer.get("pIpsBillNo"));
        balance(trade, zhang, "10384.43", "69.97");

        // 4.11 还款
        answer = page("RepaymentNewTrade.aspx", "p", fields("pBidNo", bidNo, "pRepaymentDate", today,
                "pMerBillNo", run + "P1", "pRepayType", "1", "pIpsAuthNo", "", "pOutAcctNo", zhang.account,
                "pOutAmt", "10200.10", "pOutFee", "3.21", "pDetails", rows(fields("pCreMerBillNo", run + "C1",
                        "pInAcctNo", li.account, "pInFee", "5.55", "pOutInfoFee", "3.21", "pInAmt", "10200.10"))),
                new Style());
        same("MG00008F", answer.code, "还款");
        notice = listener.await("/notify", run + "P1", "MG00000F");
        same("Y", text(notice.row(), "pStatus"), "pStatus of the row");
        step("还款", answer, "S2S " + notice.code);
        balance(trade, zhang, "181.12", "69.97");
        balance(trade, li, "20181.46", "0.00");

        // 4.3 标的结束: no page is shown, the server posts it
        subject.put("pOperationType", "2");
        answer = page("registerSubject.aspx", "p", subject, new Style());
        same("MG02503F", answer.code, "标的结束");
        notice = listener.await("/notify", run + "B1", "MG02505F");
        same("10", notice.get("pBidStatus"), "pBidStatus by S2S");
        step("标的结束", answer, "S2S " + notice.code);
        balance(trade, zhang, "251.09", "0.00");

        // 4.14 提现
        answer = page("doDwTrade.aspx", "p", fields("pMerBillNo", run + "W1", "pAcctType", "1", "pOutType", "1",
                "pBidNo", "", "pContractNo", "", "pDwTo", "", "pIdentNo", li.id, "pRealName", li.name,
                "pIpsAcctNo", li.account, "pDwDate", today, "pTrdAmt", "20000.00", "pMerFee", "2.00",
                "pIpsFeeType", "1"), new Style());
        same("MG00000F", answer.code, "提现");
        listener.await("/notify", run + "W1", "MG00000F");
        step("提现", answer, answer.get("pIpsBillNo"));
        balance(trade, li, "179.46", "0.00");

        // The other service, at the other address
        Element user = new Service("/CreditWSQuery/Service.asmx").query("QueryMerUserInfo", fields("argIpsAccount", zhang.account));
        same("0000", text(user, "pErrCode"), "QueryMerUserInfo");
        same(zhang.email, text(user, "pEmail"), "pEmail");
        same("04", text(user, "pStatus"), "pStatus");
        say("账户信息: " + text(user, "pErrCode") + " " + text(user, "pEmail"));
    }

    /**
     * Tells of another loan in the shapes that merchants' programs really sent:
     * blanks in tags, lines of Base64 broken and signed as they are, numbers
     * where none are wanted, a claim that was sold under each of its numbers,
     * and pages posted from the server of which a part is read as XML.
     */
    void shapes() throws Exception {
        LocalDateTime now = LocalDateTime.now(ZoneId.of("Asia/Shanghai"));
        String today = now.format(DateTimeFormatter.ofPattern("yyyyMMdd"));
        String run = "SHJ" + now.format(DateTimeFormatter.ofPattern("yyyyMMddHHmmss"));
        Person wang = new Person("110101199001010003", "王五", "13800000003", "java3@example.com");
        Person zhao = new Person("110101199001010004", "赵六", "13800000004", "java4@example.com");
        Person li = new Person("110101199001010005", "李四", "13800000005", "java5@example.com");
        Person zhang = new Person("110101199001010006", "张三", "13800000006", "java6@example.com");
        Map<Person, String> money = new LinkedHashMap<>();
        money.put(wang, "5000");
        money.put(zhao, "20000");
        money.put(li, "10000.0");
        money.put(zhang, "3000");
        int n = 0;
        for (Map.Entry<Person, String> p : money.entrySet()) {
            open(p.getKey(), run + "A" + ++n, today, new Style(), "arg");
            recharge(p.getKey(), run + "R" + n, today, "00004", p.getValue(), "0", "doDpTrade.aspx", new Style());
        }
        Service trade = new Service("/CreditWS/Service.asmx");

        // Contracts: loans counted in days, though every bid is in months.
        Answer answer = page("AutoNewSigning.aspx", "p", fields("pMerBillNo", run + "S1", "pSigningDate", today,
                "pIdentNo", zhao.id, "pRealName", zhao.name, "pIpsAcctNo", zhao.account, "pValidType", "M", "pValidDate", "12",
                "pTrdCycleType", "D", "pSTrdCycleValue", "1", "pETrdCycleValue", "1800", "pSAmtQuota", "1.00",
                "pEAmtQuota", "100000.00", "pSIRQuota", "1.00", "pEIRQuota", "40.00"), new Style());
        same("MG00000F", answer.code, "自动投标签约");
        String bidding = answer.get("pIpsAuthNo");
        answer = page("RepaymentSigning.aspx", "p", fields("pMerBillNo", run + "S2", "pSigningDate", today, "pIdentType", "1",
                "pIdentNo", wang.id, "pRealName", wang.name, "pIpsAcctNo", wang.account, "pValidType", "N", "pValidDate", ""), new Style());
        same("MG00000F", answer.code, "自动还款签约");
        String repaying = answer.get("pIpsAuthNo");

        // A bid and a guarantor, with blanks in tags and slashes doubled.
        String bidNo = run + "BID";
        Map<String, String> subject = fields("pMerBillNo", run + "B1", "pBidNo", bidNo, "pRegDate", today, "pLendAmt", "3000.00",
                "pGuaranteesAmt", "0.00", "pTrdLendRate", "12.00", "pTrdCycleType", "3", "pTrdCycleValue", "60", "pLendPurpose", "买车",
                "pRepayMode", "99", "pOperationType", "1", "pLendFee", "0.00", "pAcctType", "1", "pIdentNo", wang.id,
                "pRealName", wang.name, "pIpsAcctNo", wang.account);
        answer = page("/registerSubject.aspx", "p", subject, new Style().blanks("pLendPurpose"));
        same("MG02500F", answer.code, "标的登记");
        listener.await("/notify", run + "B1", "MG02501F");
        answer = page("registerGuarantor.aspx", "p", fields("pMerBillNo", run + "G1", "pMerDate", today, "pBidNo", bidNo,
                "pAmount", "2000.00", "pMarginAmt", "0.00", "pProFitAmt", "0.00", "pAcctType", "1", "pFromIdentNo", zhang.id,
                "pAccountName", zhang.name, "pAccount", zhang.account), new Style().blanks("pAccountName", "pBidNo").shuffled());
        same("MG00000F", answer.code, "登记担保方");
        step("标签带空格", answer, "");

        // Bids: by hand with an authorisation number, and by contract, posted
        // from the server. The contract's number is the same for all creditors.
        Map<String, String> creditor = fields("pMerBillNo", run + "C1", "pMerDate", today, "pBidNo", bidNo,
                "pContractNo", run + "CON", "pRegType", "1", "pAuthNo", "1", "pAuthAmt", "1000.00", "pTrdAmt", "1000.00",
                "pFee", "0.00", "pAcctType", "1", "pIdentNo", zhao.id, "pRealName", zhao.name, "pAccount", zhao.account, "pUse", "买车");
        same("MG00000F", page("registerCreditor.aspx", "p", creditor, new Style()).code, "手动投标带授权号");
        creditor.putAll(fields("pMerBillNo", run + "C2", "pRegType", "2", "pAuthNo", bidding, "pAuthAmt", "2000.00", "pTrdAmt", "2000.00"));
        answer = page("registerCreditor.aspx", "p", creditor, new Style().cut(1));
        same("MG00000F", answer.code, "自动投标");
        step("自动投标 页面按XML读取", answer, "");

        // The release has the number of the bid's registration. Broken lines are
        // signed as they are: with the breaks of this system, of Windows, and
        // with the break at the end that some encoders add.
        Map<String, String> release = fields("pMerBillNo", run + "B1", "pBidNo", bidNo, "pDate", today, "pTransferType", "1",
                "pTransferMode", "1", "pDetails", transferRow(run + "C1", "1000.00", zhao, wang) + transferRow(run + "C2", "2000.00", zhao, wang));
        answer = trade.call("Transfer", release, new Style().ending("\n"), SOAP11);
        same("MG00008F", answer.code, "放款");
        everyRow("Y", listener.await("/notify", run + "B1", "MG00000F"), 2);
        step("放款 Base64按LF换行", answer, "");

        // The claim is sold, and a part of it sold on under the transfer's number.
        sell(run, "D1", run + "C1", "1", "1000.00", bidNo, today, zhao, li);
        same("MG00000F", transfer(trade, run + "T4", bidNo, today, "4", transferRow(run + "D1", "1000.00", li, zhao),
                new Style().ending("\r\n")).code, "债权转让");
        sell(run, "D2", run + "T4", "2", "400.00", bidNo, today, li, zhao);
        answer = transfer(trade, run + "T5", bidNo, today, "4", transferRow(run + "D2", "400.00", zhao, li), new Style());
        same("MG00000F", answer.code, "再次转让");
        step("再次转让 按转账订单号", answer, "");

        // Repaid by each of its three numbers, with an authorisation of 0.
        answer = page("RepaymentNewTrade.aspx", "p", repayment(run + "P1", bidNo, today, "1", "0", wang, "300.00",
                repayRow(run + "T4", li, "100.00") + repayRow(run + "D1", li, "100.00") + repayRow(run + "C1", li, "100.00")), new Style());
        same("MG00008F", answer.code, "还款");
        everyRow("Y", listener.await("/notify", run + "P1", "MG00000F"), 3);
        step("还款 按三种债权订单号", answer, "");

        // Compensated by the transfer's number, and given back.
        answer = transfer(trade, run + "T2", bidNo, today, "2", transferRow(run + "T4", "50.00", zhang, li), new Style().ending("\n"));
        same("MG00008F", answer.code, "代偿");
        everyRow("Y", listener.await("/notify", run + "T2", "MG00000F"), 1);
        same("MG00000F", transfer(trade, run + "T3", bidNo, today, "3", transferRow(run + "T2", "50.00", wang, zhang), new Style()).code, "代偿还款");

        // The rest by contract, posted from the server.
        answer = page("RepaymentNewTrade.aspx", "p", repayment(run + "P2", bidNo, today, "2", repaying, wang, "2650.00",
                repayRow(run + "C2", zhao, "2000.00") + repayRow(run + "D1", li, "250.00") + repayRow(run + "D2", zhao, "400.00")),
                new Style().cut(0));
        same("MG00008F", answer.code, "自动还款");
        everyRow("Y", listener.await("/notify", run + "P2", "MG00000F"), 3);
        step("自动还款 页面按XML读取", answer, "");

        // The end, posted from the server, and once more.
        subject.put("pOperationType", "2");
        answer = page("registerSubject.aspx", "p", subject, new Style().cut(1).blanks("pLendPurpose"));
        same("MG02503F", answer.code, "标的结束");
        listener.await("/notify", run + "B1", "MG02505F");
        same("MG02030F", page("registerSubject.aspx", "p", subject, new Style().cut(1)).code, "标的再次结束");
        step("标的结束 页面按XML读取", answer, "");

        // What is meant for directed withdrawals only.
        answer = page("doDwTrade.aspx", "p", fields("pMerBillNo", run + "W1", "pAcctType", "1", "pOutType", "1", "pBidNo", "1",
                "pContractNo", "1", "pDwTo", "1", "pIdentNo", zhao.id, "pRealName", zhao.name, "pIpsAcctNo", zhao.account,
                "pDwDate", today, "pTrdAmt", "100.00", "pMerFee", "0.00", "pIpsFeeType", "1"), new Style());
        same("MG00000F", answer.code, "提现");
        balance(trade, wang, "5000", "0");
        balance(trade, zhao, "19900", "0");
        balance(trade, li, "10000", "0");
        balance(trade, zhang, "3000", "0");

        // How an order ended, at either service.
        Service query = new Service("/CreditWSQuery/Service.asmx");
        for (Service service : List.of(trade, query)) {
            for (String[] q : new String[][] {{"P1", "11", "1"}, {"B1", "14", "1"}, {"NO", "08", "4"}}) {
                answer = service.call("QueryTrade", fields("pMerBillNo", run + q[0], "pTradeType", q[1]), new Style(), SOAP11);
                same("MG00000F", answer.code, "交易查询");
                same(q[2], answer.get("pTradeStatue"), "pTradeStatue of " + q[0]);
            }
        }
        step("交易查询", answer, "");
        same("02", text(query.query("QueryMerUserInfo", fields("argIpsAccount", "4021999999999999")), "pErrCode"), "账户信息");
        trade.postedToTheWSDL();
    }

    void sell(String run, String order, String claim, String type, String amount, String bidNo, String today, Person from, Person to)
            throws Exception {
        Answer answer = page("registerCretansfer.aspx", "p", fields("pMerBillNo", run + order, "pMerDate", today, "pBidNo", bidNo,
                "pContractNo", bidNo, "pFromAccountType", "1", "pFromName", from.name, "pFromAccount", from.account, "pFromIdentType", "1",
                "pFromIdentNo", from.id, "pToAccountType", "1", "pToAccountName", to.name, "pToAccount", to.account, "pToIdentType", "1",
                "pToIdentNo", to.id, "pCreMerBillNo", claim, "pCretAmt", amount, "pPayAmt", amount, "pFromFee", "0.00", "pToFee", "0.00",
                "pCretType", type), new Style());
        same("MG00000F", answer.code, "债权转让登记");
    }

    Answer transfer(Service trade, String order, String bidNo, String today, String type, String rows, Style style) throws Exception {
        return trade.call("Transfer", fields("pMerBillNo", order, "pBidNo", bidNo, "pDate", today, "pTransferType", type,
                "pTransferMode", "1", "pDetails", rows), style, SOAP11);
    }

    static String transferRow(String claim, String amount, Person from, Person to) {
        return rows(fields("pOriMerBillNo", claim, "pTrdAmt", amount, "pFAcctType", "1", "pFIpsAcctNo", from.account, "pFTrdFee", "0.00",
                "pTAcctType", "1", "pTIpsAcctNo", to.account, "pTTrdFee", "0.00"));
    }

    /** A repayment with its elements in another order than the demo's. */
    static Map<String, String> repayment(String order, String bidNo, String today, String type, String auth, Person from, String amount,
            String rows) {
        return fields("pRepaymentDate", today, "pMerBillNo", order, "pBidNo", bidNo, "pRepayType", type, "pIpsAuthNo", auth,
                "pOutAcctNo", from.account, "pDetails", rows, "pOutAmt", amount, "pOutFee", "0.00");
    }

    static String repayRow(String claim, Person to, String amount) {
        return rows(fields("pCreMerBillNo", claim, "pInAcctNo", to.account, "pInFee", "0.00", "pOutInfoFee", "0.00", "pInAmt", amount));
    }

    /** Insists on the fate of all rows of a batch. */
    static void everyRow(String want, Answer notice, int n) throws Exception {
        List<Element> rows = elements(notice.root(), null, "pRow");
        same(n, rows.size(), "rows");
        for (Element row : rows) {
            same(want, text(row, "pStatus"), "pStatus, " + text(row, "pMessage"));
        }
    }

    void open(Person p, String order, String today, Style style, String prefix) throws Exception {
        String memo = "备注 <a> & \"b\"";
        Answer answer = page("CreateNewIpsAcct.aspx", prefix, fields("pMerBillNo", order, "pIdentType", "1",
                "pIdentNo", p.id, "pRealName", p.name, "pMobileNo", p.mobile, "pEmail", p.email, "pSmDate", today,
                "pMemo1", memo), style);
        same("MG00000F", answer.code, "开户");
        same("10", answer.get("pStatus"), "pStatus");
        same(p.name, answer.get("pRealName"), "pRealName");
        same(memo, answer.get("pMemo1"), "pMemo1");
        p.account = answer.get("pIpsAcctNo");
        same(p.account, listener.await("/notify", order, "MG00000F").get("pIpsAcctNo"), "pIpsAcctNo by S2S");
        step("开户 " + p.name, answer, p.account);
    }

    void recharge(Person p, String order, String today, String bank, String amount, String fee, String page, Style style)
            throws Exception {
        Answer answer = page(page, "p", fields("pMerBillNo", order, "pAcctType", "1", "pIdentNo", p.id,
                "pRealName", p.name, "pIpsAcctNo", p.account, "pTrdDate", today, "pTrdAmt", amount,
                "pChannelType", "1", "pTrdBnkCode", bank, "pMerFee", fee, "pIpsFeeType", "1"), style);
        same("MG00000F", answer.code, "充值");
        same(fen(amount), fen(answer.get("pTrdAmt")), "pTrdAmt");
        Answer notice = listener.await("/notify", order, "MG00000F");
        same(answer.get("pIpsBillNo"), notice.get("pIpsBillNo"), "pIpsBillNo by S2S");
        step("充值 " + p.name, answer, answer.get("pIpsBillNo") + " " + amount);
    }

    /** Insists on what an account has. */
    void balance(Service trade, Person p, String available, String frozen) throws Exception {
        Element b = trade.query("QueryForAccBalance", fields("argIpsAccount", p.account));
        same("0000", text(b, "pErrCode"), "QueryForAccBalance");
        same(p.account, text(b, "pIpsAcctNo"), "pIpsAcctNo of the balance");
        same(fen(available), fen(text(b, "pBalance")), "pBalance of " + p.account);
        same(fen(frozen), fen(text(b, "pLock")), "pLock of " + p.account);
        same(0L, fen(text(b, "pNeedstl")), "pNeedstl of " + p.account);
        say("余额 " + p.account + ": " + text(b, "pErrCode") + " " + text(b, "pBalance") + " + " + text(b, "pLock"));
    }

    /**
     * Posts a form as the browser would, reads the answer out of the page that
     * comes back and carries it on to pWebUrl.
     */
    Answer page(String page, String prefix, Map<String, String> fields, Style style) throws Exception {
        String order = fields.get("pMerBillNo");
        String web = listener.url + "/return?order=" + order + "&from=ips";
        Map<String, String> all = withEnd(fields, web);
        int heard = listener.notices(order);
        String html = post(base + (page.startsWith("/") ? "/" : "") + "/CreditWeb/" + page, "application/x-www-form-urlencoded",
                form(seal(prefix, style.document(all), style)), Map.of());
        same(heard, listener.notices(order), "notifications before the answer");
        String action;
        Map<String, String> inputs = new LinkedHashMap<>();
        if (style.cut >= 0) {
            // As merchants' servers do: cut behind each form, and one part is XML.
            Element form = parse(html.split("</form>")[style.cut].trim() + "</form>").getDocumentElement();
            same("form", form.getTagName(), "the root element of the part");
            action = form.getAttribute("action");
            for (Element input : children(form)) {
                same("input", input.getTagName(), "what is in the form");
                inputs.put(input.getAttribute("name"), input.getAttribute("value"));
            }
        } else {
            // The form with a signature; ASP.NET's own may come first.
            String form = Pattern.compile("<form .*?</form>", Pattern.DOTALL).matcher(html).results().map(m -> m.group())
                    .filter(f -> f.contains("pSign")).findFirst().orElseThrow(() -> new IllegalStateException("no return form: " + html));
            action = attribute(form.substring(0, form.indexOf('>')), "action");
            Matcher input = Pattern.compile("<input [^>]*>").matcher(form);
            while (input.find()) {
                same("hidden", attribute(input.group(), "type"), "type of " + input.group());
                inputs.put(attribute(input.group(), "name"), attribute(input.group(), "value"));
            }
        }
        same(web, action, "action of the return form");
        Answer answer = Answer.open(inputs);
        same("ok", post(action, "application/x-www-form-urlencoded", form(inputs), Map.of()), "our own return page");
        same(answer.xml, listener.await("/return", order, answer.code).xml, "the web return");
        return answer;
    }

    static String attribute(String tag, String name) {
        Matcher m = Pattern.compile("\\s" + name + "=\"([^\"]*)\"").matcher(tag);
        check(m.find(), tag + " has no " + name);
        return unescape(m.group(1));
    }

    static String unescape(String s) {
        Matcher m = Pattern.compile("&(#x?)?([0-9A-Za-z]+);").matcher(s);
        return m.replaceAll(r -> Matcher.quoteReplacement(switch (Objects.requireNonNullElse(r.group(1), "")) {
            case "#" -> Character.toString(Integer.parseInt(r.group(2)));
            case "#x" -> Character.toString(Integer.parseInt(r.group(2), 16));
            default -> switch (r.group(2)) {
                case "amp" -> "&";
                case "lt" -> "<";
                case "gt" -> ">";
                case "quot" -> "\"";
                default -> throw new IllegalArgumentException("unknown entity " + r.group());
            };
        }));
    }

    /** What every request ends with. */
    Map<String, String> withEnd(Map<String, String> fields, String web) {
        Map<String, String> all = new LinkedHashMap<>(fields);
        if (web != null) {
            all.put("pWebUrl", web);
        }
        all.put("pS2SUrl", listener.url + "/notify?a=1&b=2");
        for (String memo : List.of("pMemo1", "pMemo2", "pMemo3")) {
            all.putIfAbsent(memo, "");
        }
        return all;
    }

    String post(String url, String type, String body, Map<String, String> headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url)).timeout(PATIENCE)
                .header("Content-Type", type).POST(HttpRequest.BodyPublishers.ofString(body));
        headers.forEach(request::header);
        HttpResponse<String> answer = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        same(200, answer.statusCode(), "HTTP status of " + url + ", which says " + answer.body());
        return answer.body();
    }

    /** A web service as its WSDL describes it. */
    class Service {
        final String address, namespace;
        /** The parameters of each operation that the SOAP 1.1 binding offers. */
        final Map<String, List<String>> params = new LinkedHashMap<>();
        final Map<String, String> actions = new LinkedHashMap<>();

        Service(String path) throws Exception {
            HttpResponse<String> answer = http.send(HttpRequest.newBuilder(URI.create(base + path + "?wsdl"))
                    .timeout(PATIENCE).build(), HttpResponse.BodyHandlers.ofString());
            same(200, answer.statusCode(), "HTTP status of the WSDL");
            Element wsdl = parse(answer.body()).getDocumentElement();
            same("definitions", wsdl.getLocalName(), "the root element of the WSDL");
            namespace = wsdl.getAttribute("targetNamespace");
            address = only(wsdl, WSDL_SOAP11, "address").getAttribute("location");
            check(!only(wsdl, WSDL_SOAP12, "address").getAttribute("location").isEmpty(), "no address for SOAP 1.2");
            for (Element operation : elements(wsdl, WSDL_SOAP11, "operation")) {
                String name = ((Element) operation.getParentNode()).getAttribute("name");
                actions.put(name, operation.getAttribute("soapAction"));
                params.put(name, schema(wsdl, name));
            }
        }

        /** The names of what is inside an element that the schema declares. */
        private static List<String> schema(Element wsdl, String name) {
            for (Element e : elements(wsdl, "http://www.w3.org/2001/XMLSchema", "element")) {
                if (e.getAttribute("name").equals(name)) {
                    return elements(e, "http://www.w3.org/2001/XMLSchema", "element").stream()
                            .map(p -> p.getAttribute("name")).toList();
                }
            }
            throw new IllegalStateException("the schema has no " + name);
        }

        /** Calls an operation whose answer is sealed. */
        Answer call(String operation, Map<String, String> fields, Style style, String version) throws Exception {
            String prefix = params.get(operation).get(0).startsWith("arg") ? "arg" : "p";
            Map<String, String> sealed = seal(prefix, style.document(withEnd(fields, null)), style);
            int heard = listener.notices(fields.get("pMerBillNo"));
            Answer answer = Answer.open(envelope(result(operation, sealed, version)));
            same(fields.get("pMerBillNo"), answer.get("pMerBillNo"), "pMerBillNo");
            return answer;
        }

        /** Calls an operation with a signature that is wrong, and insists on a refusal. */
        void forged(String operation, Map<String, String> fields) throws Exception {
            Map<String, String> sealed = seal("p", new Style().document(withEnd(fields, null)), new Style());
            sealed.computeIfPresent("pSign", (name, sign) -> new StringBuilder(sign).reverse().toString());
            Map<String, String> envelope = envelope(result(operation, sealed, SOAP11));
            String code = envelope.get("pErrCode");
            check(!code.isEmpty() && !code.equals("MG00000F") && !code.equals("MG00008F"), "code of a forged message: " + code);
            same("", envelope.get("p3DesXmlPara"), "body of the answer to a forged message");
            say("伪造签名: " + code);
        }

        private Map<String, String> envelope(Element result) {
            Map<String, String> envelope = new LinkedHashMap<>();
            for (Element e : children(result)) {
                envelope.put(e.getLocalName(), e.getTextContent());
            }
            return envelope;
        }

        /** Asks for the banks at the address of the WSDL, with an element that the operation does not have. */
        void postedToTheWSDL() throws Exception {
            String body = element("argMerCode", MER_CODE) + element("arg3DesXmlPara", "") + element("argSign", md5(MER_CODE + CERT));
            String answer = post(address + "?wsdl", "text/xml; charset=utf-8", "<soap:Envelope xmlns:soap=\"" + SOAP11
                    + "\"><soap:Body><GetBankList xmlns=\"" + namespace + "\">" + body + "</GetBankList></soap:Body></soap:Envelope>",
                    Map.of("SOAPAction", actions.get("GetBankList")));
            check(answer.contains("pBankList"), "no banks: " + answer);
        }

        /** Asks what is not encrypted. Its answer is signed over elements with their tags. */
        Element query(String operation, Map<String, String> arguments) throws Exception {
            Map<String, String> all = fields("argMerCode", MER_CODE);
            all.putAll(arguments);
            all.put("argSign", md5(String.join("", all.values()) + CERT));
            for (String name : params.get(operation)) {
                all.putIfAbsent(name, "");
            }
            Element answer = result(operation, all, SOAP11);
            same(MER_CODE, text(answer, "pMerCode"), "pMerCode of " + operation);
            StringBuilder signed = new StringBuilder();
            for (Element e : children(answer)) {
                boolean left = e.getTagName().equals("pSign")
                        || operation.equals("QueryMerUserInfo") && List.of("pErrCode", "pErrMsg", "pMemo").contains(e.getTagName());
                signed.append(left ? "" : element(e.getTagName(), e.getTextContent()));
            }
            same(md5(signed + CERT), text(answer, "pSign"), "pSign of " + operation);
            return answer;
        }

        private Element result(String operation, Map<String, String> parameters, String version) throws Exception {
            check(params.containsKey(operation), "the WSDL has no " + operation);
            check(params.get(operation).containsAll(parameters.keySet()), operation + " takes " + params.get(operation));
            StringBuilder body = new StringBuilder();
            parameters.forEach((name, value) -> body.append(element(name, escape(value))));
            String envelope = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<soap:Envelope xmlns:soap=\"" + version
                    + "\">\n  <soap:Body>\n    <" + operation + " xmlns=\"" + namespace + "\">" + body + "</" + operation
                    + ">\n  </soap:Body>\n</soap:Envelope>";
            String action = actions.get(operation);
            String answer = version.equals(SOAP11)
                    ? post(address, "text/xml; charset=utf-8", envelope, Map.of("SOAPAction", '"' + action + '"'))
                    : post(address, "application/soap+xml; charset=utf-8; action=\"" + action + '"', envelope, Map.of());
            Element root = parse(answer).getDocumentElement();
            same(version, root.getNamespaceURI(), "namespace of the envelope");
            Element response = only(only(root, version, "Body"), namespace, operation + "Response");
            Element document = parse(only(response, namespace, operation + "Result").getTextContent()).getDocumentElement();
            same("pReq", document.getTagName(), "the root element of the result");
            return document;
        }
    }

    /** A way of writing a message. */
    static class Style {
        private boolean cdata, brokenLines, shuffled;
        private String ending = "";
        private int cut = -1;
        private List<String> blanks = List.of();

        /** Breaks the lines of Base64 and signs what it has broken. */
        Style ending(String ending) {
            this.ending = ending;
            return this;
        }

        /** Reads the page that comes back as XML, cut behind each form. */
        Style cut(int which) {
            cut = which;
            return this;
        }

        /** Writes blanks into tags. */
        Style blanks(String... names) {
            blanks = List.of(names);
            return this;
        }

        Style cdata() {
            cdata = true;
            return this;
        }

        Style brokenLines() {
            brokenLines = true;
            return this;
        }

        Style shuffled() {
            shuffled = true;
            return this;
        }

        String document(Map<String, String> fields) {
            List<String> names = new ArrayList<>(fields.keySet());
            if (shuffled) {
                Collections.shuffle(names, new Random(20141124));
            }
            StringBuilder xml = new StringBuilder("<?xml version=\"1.0\" encoding=\"utf-8\"?><pReq>");
            for (String name : names) {
                String value = fields.get(name);
                boolean free = name.endsWith("Url") || name.startsWith("pMemo") || name.equals("pRealName");
                if (name.equals("pDetails")) {
                    xml.append(element(name, value)); // rows are written already
                } else if (cdata && free) {
                    xml.append(element(name, "<![CDATA[" + value + "]]>"));
                } else {
                    xml.append(element(name, escape(value)));
                }
            }
            String document = xml.append("</pReq>").toString();
            for (String name : blanks) {
                document = document.replace("<" + name + ">", "<" + name + " >").replace("</" + name + ">", "</" + name + " >");
            }
            return document;
        }
    }

    /** Encrypts and signs a document. The signature is over the Base64 text, mostly without line breaks. */
    static Map<String, String> seal(String prefix, String document, Style style) throws GeneralSecurityException {
        byte[] secret = cipher(Cipher.ENCRYPT_MODE).doFinal(document.getBytes(StandardCharsets.UTF_8));
        String body = Base64.getEncoder().encodeToString(secret);
        if (!style.ending.isEmpty()) {
            body = Base64.getMimeEncoder(76, style.ending.getBytes(StandardCharsets.US_ASCII)).encodeToString(secret);
        }
        String sent = style.brokenLines ? Base64.getMimeEncoder().encodeToString(secret) : body;
        return fields(prefix + "MerCode", MER_CODE, prefix + "3DesXmlPara", sent, prefix + "Sign", md5(MER_CODE + body + CERT));
    }

    static Cipher cipher(int mode) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("DESede/CBC/PKCS5Padding");
        cipher.init(mode, new SecretKeySpec(DES_KEY.getBytes(StandardCharsets.US_ASCII), "DESede"),
                new IvParameterSpec(DES_IV.getBytes(StandardCharsets.US_ASCII)));
        return cipher;
    }

    /** An answer whose signature held. */
    record Answer(String code, String message, String xml) {
        /** Verifies an answer, then decrypts it. */
        static Answer open(Map<String, String> envelope) throws Exception {
            same(List.of("pMerCode", "pErrCode", "pErrMsg", "p3DesXmlPara", "pSign"), List.copyOf(envelope.keySet()),
                    "fields of the envelope");
            same(MER_CODE, envelope.get("pMerCode"), "pMerCode");
            String plain = envelope.get("pMerCode") + envelope.get("pErrCode") + envelope.get("pErrMsg")
                    + envelope.get("p3DesXmlPara") + CERT;
            check(verify(plain, envelope.get("pSign")), "the signature of " + envelope.get("pErrCode") + " does not hold");
            byte[] document = cipher(Cipher.DECRYPT_MODE).doFinal(Base64.getDecoder().decode(envelope.get("p3DesXmlPara")));
            String xml = new String(document, StandardCharsets.UTF_8);
            // The platform begins every document with a byte order mark, so
            // merchants cut it off without looking. This one looks.
            check(xml.startsWith("\ufeff"), "the document has no byte order mark");
            return new Answer(envelope.get("pErrCode"), envelope.get("pErrMsg"), xml.substring(1));
        }

        Element root() throws Exception {
            return parse(xml).getDocumentElement();
        }

        String get(String name) throws Exception {
            return text(root(), name);
        }

        /** The only row. */
        Element row() throws Exception {
            return only(root(), null, "pRow");
        }
    }

    static boolean verify(String plain, String sign) throws GeneralSecurityException {
        String pem = System.getenv("IPS_PUBLIC_KEY");
        if (pem == null || pem.isEmpty()) {
            return MessageDigest.isEqual(md5(plain).getBytes(StandardCharsets.US_ASCII), sign.getBytes(StandardCharsets.US_ASCII));
        }
        byte[] key = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
        Signature signature = Signature.getInstance("MD5withRSA");
        signature.initVerify(KeyFactory.getInstance("RSA").generatePublic(new X509EncodedKeySpec(key)));
        signature.update(plain.getBytes(StandardCharsets.UTF_8));
        return sign.length() == 256 && signature.verify(HexFormat.of().parseHex(sign));
    }

    static String md5(String s) throws GeneralSecurityException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(s.getBytes(StandardCharsets.UTF_8)));
    }

    /** The platform's own web server: it writes down what is posted to it. */
    static class Listener implements AutoCloseable {
        record Message(String path, Map<String, String> form) {
        }

        private static final int LIMIT = 1 << 20;

        final String url;
        private final HttpServer server;
        private final List<Message> received = new ArrayList<>();

        Listener(int port) throws IOException {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port), 0);
            server.createContext("/", this::take);
            server.start();
            url = "http://127.0.0.1:" + server.getAddress().getPort();
        }

        private void take(HttpExchange exchange) throws IOException {
            try (exchange; InputStream in = exchange.getRequestBody()) {
                byte[] body = in.readNBytes(LIMIT + 1);
                if (!exchange.getRequestMethod().equals("POST") || body.length > LIMIT) {
                    exchange.sendResponseHeaders(400, -1);
                    return;
                }
                Map<String, String> form = new LinkedHashMap<>();
                for (String pair : new String(body, StandardCharsets.US_ASCII).split("&")) {
                    String[] parts = pair.split("=", 2);
                    form.put(URLDecoder.decode(parts[0], StandardCharsets.UTF_8), URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
                }
                synchronized (received) {
                    received.add(new Message(exchange.getRequestURI().getPath(), form));
                    received.notifyAll();
                }
                exchange.sendResponseHeaders(200, 2);
                exchange.getResponseBody().write("ok".getBytes(StandardCharsets.US_ASCII));
            }
        }

        /** Returns the answer with this order and code that was posted to path. */
        Answer await(String path, String order, String code) throws Exception {
            long end = System.nanoTime() + PATIENCE.toNanos();
            synchronized (received) {
                for (int next = 0;; next++) {
                    while (next == received.size()) {
                        long left = (end - System.nanoTime()) / 1_000_000;
                        check(left > 0, "nothing came to " + path + " for order " + order + " with code " + code);
                        received.wait(left);
                    }
                    Message message = received.get(next);
                    if (!message.path().equals(path) || !code.equals(message.form().get("pErrCode"))) {
                        continue;
                    }
                    Answer answer = Answer.open(message.form());
                    if (answer.get("pMerBillNo").equals(order)) {
                        return answer;
                    }
                }
            }
        }

        /** How many answers to an order have come server to server. */
        int notices(String order) throws Exception {
            int n = 0;
            synchronized (received) {
                for (Message message : received) {
                    if (message.path().equals("/notify") && Answer.open(message.form()).get("pMerBillNo").equals(order)) {
                        n++;
                    }
                }
            }
            return n;
        }

        /** Insists that nothing came that does not verify. */
        void verifyAll() throws Exception {
            synchronized (received) {
                for (Message message : received) {
                    Answer.open(message.form());
                }
                say(received.size() + " messages received, all verified");
            }
        }

        @Override
        public void close() {
            server.stop(0);
        }
    }

    static Document parse(String xml) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return factory.newDocumentBuilder().parse(new InputSource(new StringReader(xml)));
    }

    static List<Element> elements(Element parent, String namespace, String name) {
        NodeList list = parent.getElementsByTagNameNS(namespace, name);
        List<Element> elements = new ArrayList<>();
        for (int i = 0; i < list.getLength(); i++) {
            elements.add((Element) list.item(i));
        }
        return elements;
    }

    static Element only(Element parent, String namespace, String name) {
        List<Element> elements = elements(parent, namespace, name);
        check(elements.size() == 1, "want one " + name + " in " + parent.getTagName() + ", got " + elements.size());
        return elements.get(0);
    }

    static List<Element> children(Element parent) {
        List<Element> elements = new ArrayList<>();
        for (Node n = parent.getFirstChild(); n != null; n = n.getNextSibling()) {
            if (n instanceof Element e) {
                elements.add(e);
            }
        }
        return elements;
    }

    /** The text of a child that must be there, once. */
    static String text(Element parent, String name) {
        List<Element> found = children(parent).stream().filter(e -> e.getTagName().equals(name)).toList();
        check(found.size() == 1, "want one " + name + " in " + parent.getTagName() + ", got " + found.size());
        return found.get(0).getTextContent();
    }

    /** Reads 500, 0 or 3050.00 yuan. */
    static long fen(String yuan) {
        return new BigDecimal(yuan).movePointRight(2).longValueExact();
    }

    static Map<String, String> fields(String... namesAndValues) {
        Map<String, String> fields = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            fields.put(namesAndValues[i], namesAndValues[i + 1]);
        }
        return fields;
    }

    static String rows(Map<String, String> row) {
        StringBuilder xml = new StringBuilder();
        row.forEach((name, value) -> xml.append(element(name, escape(value))));
        return element("pRow", xml.toString());
    }

    static String element(String name, String content) {
        return "<" + name + ">" + content + "</" + name + ">";
    }

    static String escape(String s) {
        return s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;").replace("\r", "&#13;");
    }

    static String form(Map<String, String> fields) {
        return String.join("&", fields.entrySet().stream()
                .map(f -> f.getKey() + "=" + URLEncoder.encode(f.getValue(), StandardCharsets.UTF_8)).toList());
    }

    static void same(Object want, Object got, String what) {
        check(Objects.equals(want, got), what + ": want " + want + ", got " + got);
    }

    static void check(boolean ok, String problem) {
        if (!ok) {
            throw new IllegalStateException(problem);
        }
    }

    static void step(String what, Answer answer, String detail) {
        say(what + ": " + answer.code + " " + detail);
    }

    /** Prints UTF-8, whatever the terminal is set to. */
    static void say(String line) {
        byte[] bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
        System.out.write(bytes, 0, bytes.length);
        System.out.flush();
    }
}
