package main

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// Chapter 6, 个人债权转让, and the contracts of 16 and 17.

func (a *App) claims(d *work, r *http.Request, v *visit) (string, []Part) {
	type held struct {
		Share
		Purpose string
		Loan    LoanState
	}
	var parts []Part
	top := listed(d, r, listing{
		columns: columnsOf[Share]("s.") + ", l.purpose, l.state", from: "shares s JOIN loans l ON l.bid_no = s.bid_no", where: "holder_id = ?", args: []any{v.user.ID},
		filters: ofShares, none: "您还没有债权。",
		sorts: []choice{{"", "持有中在前", "s.state DESC, claim, id"}, {"most", "待收本金从高到低", "principal DESC, id"}, {"least", "待收本金从低到高", "principal, id"}},
	}, func(s held) []Cell {
		put := ips.Amount(d.count("SELECT COALESCE(SUM(principal), 0) FROM dues WHERE share_id = ?", s.ID))
		if s.State == ShareFrozen || s.State == ShareCalled { // of which there is no plan
			put = s.Principal
		}
		sold := ips.Amount(d.count("SELECT COALESCE(SUM(face), 0) FROM sales WHERE share_id = ? AND state = 'done'", s.ID))
		p := Part{
			Heading: s.Purpose + "（标的 " + s.BidNo + "）", Text: "投入本金 " + (put + sold).String() + " 元，转出 " + sold.String() + " 元，待收本金 " + s.Principal.String() + " 元，" + stateOfShare(s.State, s.Principal) + "，合同号 " + s.ContractNo,
			Links: []Link{{"查看标的", "/loan/" + s.BidNo}}, Head: []string{"期", "到期日", "本金（元）", "利息（元）", "已收（元）", "状态"},
		}
		if s.State != ShareFrozen && s.State != ShareCalled && s.Claim != s.BidNo { // not of an old loan
			p.Links = append(p.Links, Link{"借款合同", "/loan/" + s.BidNo + "/contract"})
		}
		if s.State == ShareReleased && s.Loan == LoanRunning {
			p.Forms = []Form{{Action: "/claims/" + s.ID + "/sell", Button: "挂牌转让", Fields: []Field{money("转让债权面额（元）", "face", s.Principal.String()), money("转让价格（元）", "price", s.Principal.String())}}}
		}
		for _, due := range list[Due](d, "share_id = ? AND principal + interest > 0 ORDER BY period", s.ID) {
			p.Rows = append(p.Rows, []Cell{{Text: strconv.Itoa(due.Period), Number: true}, text(dayOf(due.DueOn)), number(due.Principal), number(due.Interest), number(due.Paid), text(strings.ReplaceAll(dueStates[due.State], "还", "收"))})
		}
		parts = append(parts, p)
		return nil
	})
	pages := Part{Links: top.Links}
	top.Hint = fmt.Sprintf("平台从借款人偿还的利息中收取 %d%% 的手续费，担保方代偿的不收；到账金额为已收金额减去手续费；转让债权时双方各付转让价格 0.5%% 的手续费。", interestPercent)
	top.Rows, top.Links = nil, []Link{{"去投标", "/loans"}, {"转让市场", "/market"}}
	return "我的债权", slices.Concat([]Part{top}, parts, []Part{pages})
}

// sell offers a share, or a part of it, on the market.
func (a *App) sell(d *work, r *http.Request, v *visit) string {
	face := d.positive(r, "face", "转让债权面额")
	price := d.positive(r, "price", "转让价格")
	share := find[Share](d, "id = ? AND holder_id = ?", r.PathValue("share"), v.user.ID)
	loan := d.lock(share.BidNo)
	share = find[Share](d, "id = ?", share.ID) // as it is now that the loan is locked
	live := d.count("SELECT COUNT(*) FROM sales WHERE share_id = ? AND state NOT IN ('done', 'withdrawn')", share.ID)
	d.want(share.State == ShareReleased && loan.State == LoanRunning, "放款后、结束前才能转让债权")
	d.want(live == 0, "该债权已在转让中")
	d.want(face <= share.Principal, "可转让债权面额为 %s 元", share.Principal)
	d.want(face == share.Principal || face >= minBid && share.Principal-face >= minBid, "部分转让时，转让和保留的面额都至少 %s 元", minBid)
	d.want(100*price >= 70*face && 100*price <= 130*face, "转让价格须为债权面额的 70%% 至 130%%")
	add(d, Sale{ID: newID(), ShareID: share.ID, BidNo: share.BidNo, SellerID: v.user.ID, Face: face, Price: price, State: SaleOffered})
	return "/market"
}

func (a *App) market(d *work, r *http.Request, v *visit) (string, []Part) {
	type offer struct {
		Sale
		Seller, Purpose, Borrower string
		Rate                      ips.Rate
		Principal                 ips.Amount // of the share
	}
	has := d.holding(v.user.Account).Available
	// Of what is not offered any more, everybody sees his own; what waits for a word comes first.
	return "转让市场", []Part{listed(d, r, listing{
		head: []string{"标的", "出让方", "债权面额（元）", "待收利息（元）", "年利率", "转让价格（元）", "状态", "操作"}, none: "暂无转让中的债权。",
		columns: columnsOf[Sale]("s.") + ", u.login, l.purpose, l.borrower_id, l.rate, h.principal", where: "(s.state = 'offered' OR s.seller_id = ? OR s.buyer_id = ?)", args: []any{v.user.ID, v.user.ID},
		from: "sales s JOIN users u ON u.id = s.seller_id JOIN loans l ON l.bid_no = s.bid_no JOIN shares h ON h.id = s.share_id",
		filters: []filter{{"state", "状态", []choice{{"", "转让中", "s.state IN ('offered', 'askbuyer', 'askseller')"}, {"done", "我的成交", "s.state = 'done'"},
			{"open", "我的办理中", "s.state NOT IN ('offered', 'done', 'withdrawn')"}, {"withdrawn", "我的撤回", "s.state = 'withdrawn'"}}}},
		sorts: []choice{{"", "价格从低到高", "s.state = 'offered', s.price, s.id"}, {"most", "价格从高到低", "s.state = 'offered', s.price DESC, s.id"}, {"face", "面额从高到低", "s.state = 'offered', s.face DESC, s.id"}},
	}, func(s offer) []Cell {
		face, interest := s.Face, ips.Amount(0)
		if s.State != SaleDone {
			face = min(face, s.Principal)
		}
		for _, due := range list[Due](d, "share_id = ? AND state = 'open'", s.ShareID) {
			interest += proportion(due.InterestLeft(), face, max(1, s.Principal))
		}
		var do []Form
		cost, why := s.Price+perMille(s.Price, saleFeePerMille), ""
		switch mine := s.SellerID == v.user.ID; {
		case s.State == SaleAsksBuyer && s.BuyerID == v.user.ID:
			do = []Form{{Action: "/market/" + s.ID + "/accept", Button: "按现状受让"}}
		case s.State == SaleAsksSeller && mine:
			do = []Form{{Action: "/market/" + s.ID + "/accept", Button: "同意转让"}}
		case s.State == SaleOffered && mine:
			do = []Form{{Action: "/market/" + s.ID + "/withdraw", Button: "撤回"}}
		case s.State == SaleOffered && s.Borrower != v.user.ID && has < cost:
			why = "购买须付 " + cost.String() + " 元（含手续费），可用余额不足"
		case s.State == SaleOffered && s.Borrower != v.user.ID:
			do = []Form{{Action: "/market/" + s.ID + "/buy", Button: "购买"}}
		}
		return []Cell{linked(s.Purpose, "/loan/"+s.BidNo), text(s.Seller), number(face), number(interest), {Text: s.Rate.String() + "%", Number: true}, number(s.Price), text(saleStates[s.State]), {Text: why, Forms: do}}
	}), {Hint: "出让方与受让方各付转让价格 0.5% 的手续费。" + "请在打开 IPS 页面后 " + strconv.Itoa(int(hold.Minutes())) + " 分钟内确认：之后他人可以购买、撤回或还款。撤回前一天内下单的，确认后仍按原价成交；债权已减少的由您决定是否按现状受让，" + "已被他人购买的由出让方决定是否转让，此前资金冻结，最迟到债权还清或标的结束。"}}
}

// lockSale finds an offer, with its loan locked.
func (w *work) lockSale(id string) (Sale, Loan) {
	loan := w.lock(find[Sale](w, "id = ?", id).BidNo)
	return find[Sale](w, "id = ?", id), loan
}

// buy lets the buyer confirm at IPS, which freezes his money. What comes next
// starts by itself: see saleRegistered. Nobody buys while a page of IPS is open by
// which the borrower could pay the claim back, unless staff has voided that; and
// who has just opened one himself is let finish first.
func (a *App) buy(d *work, r *http.Request, v *visit) draft {
	d.requireAccount(v.user)
	sale, loan := d.lockSale(r.PathValue("sale"))
	share, seller := find[Share](d, "id = ?", sale.ShareID), d.user(sale.SellerID)
	d.want(sale.State == SaleOffered, "该债权已有人购买或已撤回")
	d.want(sale.SellerID != v.user.ID && loan.BorrowerID != v.user.ID, "出让方和借款人不能受让该债权")
	d.want(sale.Face <= share.Principal, "该债权已部分还款，请出让方重新挂牌")
	d.wantQuiet(loan.BidNo, claimMovers...)
	repaying := progress(d, "bid_no = ? AND kind = 'repay' AND void = 0 AND "+isOpen+" LIMIT 1", loan.BidNo)
	d.want(len(repaying) == 0, "借款人正在还款，该标的的债权暂不能购买")
	d.want(!a.buying(d, "ref = ? AND user_id <> ?", sale.ID, v.user.ID), "他人正在办理购买，请几分钟后再试")
	mine := progress(d, "kind = 'buy' AND ref = ? AND user_id = ? AND "+isOpen+" LIMIT 1", sale.ID, v.user.ID)
	d.want(len(mine) == 0, "您已下单购买，请在“我的订单”中继续办理")
	kind := ips.TransferPartClaim
	if sale.Face == share.Principal {
		kind = ips.TransferWholeClaim
	}
	fee := perMille(sale.Price, saleFeePerMille)
	d.wantFunds(v.user, sale.Price+fee)
	return draft{kind: KindBuy, bidNo: sale.BidNo, ref: sale.ID, mark: d.mark(share), about: "受让债权 " + sale.Price.String() + " 元", request: ips.RegisterDebtTransferRequest{
		Date: ips.DateOf(a.now()), BidNo: sale.BidNo, ContractNo: share.ContractNo,
		FromName: seller.RealName, FromAccount: seller.Account, FromIdentNo: seller.IdentNo,
		ToName: v.user.RealName, ToAccount: v.user.Account, ToIdentNo: v.user.IdentNo,
		CreditorOrderNo: share.Claim, FaceAmount: sale.Face, Price: sale.Price, FromFee: fee, ToFee: fee, Kind: kind,
	}}
}

// buying reports whether somebody has just opened a page of IPS to buy, whom others
// let finish first. Who has left such a page of the loan within a day is not waited
// for again: else he could keep everybody waiting with one page after the other.
func (a *App) buying(w *work, where string, args ...any) bool {
	return len(progress(w, where+" AND kind = 'buy' AND void = 0 AND "+isOpen+" AND (o.state = 'pending' AND o.heard > 0 OR made_at > ? AND NOT EXISTS ("+
		"SELECT 1 FROM acts b JOIN ips_order p ON p.order_key = b.order_key WHERE b.bid_no = a.bid_no AND b.user_id = a.user_id AND b.kind = 'buy' "+
		"AND b.made_at < a.made_at AND b.made_at > a.made_at - ? AND p.state <> 'done')) LIMIT 1",
		append(args, a.now().Add(-hold).UnixMicro(), (24*time.Hour).Microseconds())...)) > 0
}

// withdrawSale takes an offer back, unless somebody may be accepting it just now: his
// money would be frozen for nothing.
func (a *App) withdrawSale(d *work, r *http.Request, v *visit) string {
	sale, _ := d.lockSale(r.PathValue("sale"))
	if d.err == nil && sale.SellerID != v.user.ID {
		d.fail(errNotFound)
	}
	d.want(sale.State == SaleOffered && !a.buying(d, "ref = ?", sale.ID), "该债权已有人购买，不能撤回")
	sale.State = SaleWithdrawn
	set(d, sale)
	return "/claims"
}

// accept is the word that a sale waits for whose buyer's money is frozen: of a late
// buyer, who takes the claim as it is now, of its seller, or of staff after IPS has
// not carried it out.
func (a *App) accept(w http.ResponseWriter, r *http.Request, v *visit) error {
	var order orders.Order
	if err := a.data.tx(r.Context(), func(d *work) {
		sale, loan := d.lockSale(cmp.Or(r.PathValue("sale"), r.PostFormValue("sale")))
		asked := sale.State == SaleFailed && v.admin() || sale.State == SaleAsksBuyer && sale.BuyerID == v.user.ID || sale.State == SaleAsksSeller && sale.SellerID == v.user.ID
		d.want(asked && loan.State == LoanRunning, "该债权转让不在等待您的决定")
		d.wantQuiet(loan.BidNo, claimMovers...)
		purchase := find[Act](d, "kind = 'buy' AND order_no = ?", sale.OrderNo)
		if purchase.Note = ""; sale.State == SaleAsksBuyer {
			share := find[Share](d, "id = ?", sale.ShareID)
			sale.Face, purchase.Mark = min(sale.Face, share.Principal), d.mark(share)
			d.want(sale.Face > 0, "该债权已没有可受让的本金，%s", untilThen)
		}
		set(d, purchase)
		order = a.hand(d, sale)
	}); err != nil {
		return err
	}
	if order.Key != "" {
		a.send(order)
	}
	return see(w, r, v.from)
}

// contractsOf are the contracts of a kind that are valid and that a condition picks.
// Of each user, the last one counts: with it he says anew what he allows.
func (a *App) contractsOf(w *work, kind ContractKind, where string, args ...any) []Contract {
	return list[Contract](w, where+" AND kind = ? AND (valid_until = '' OR valid_until >= ?) AND NOT EXISTS (SELECT 1 FROM contracts l "+
		"WHERE l.user_id = contracts.user_id AND l.kind = contracts.kind AND l.signed_at > contracts.signed_at) ORDER BY signed_at DESC, auth_no LIMIT 100",
		append(args, string(kind), ips.DateOf(a.now()).String())...)
}

func (a *App) contracts(d *work, r *http.Request, v *visit) (string, []Part) {
	d.requireAccount(v.user)
	bid := Part{Heading: "投资人设置自动投标", Head: []string{"授权号", "签约时间", "借款额度", "借款期限", "年利率", "有效期至"}, Forms: []Form{{
		Action: "/contracts/bid", Button: "自动投标签约",
		Fields: []Field{money("借款额度起（元）", "from", "1.00"), money("借款额度止（元）", "to", "1000000.00"),
			count("有效期（月）", "valid", "12"), count("借款期限起（月）", "termfrom", "1"), count("借款期限止（月）", "termto", "36"), money("年利率起（%）", "ratefrom", "1.00"), money("年利率止（%）", "rateto", "24.00")},
	}}, Hint: "借款额度指标的的借款金额。平台在约定内代为投标，再次签约以最后一次为准。"}
	for _, c := range a.contractsOf(d, AutoBid, "user_id = ?", v.user.ID) {
		bid.Rows = append(bid.Rows, []Cell{text(c.AuthNo), text(when(c.SignedAt)), text(c.AmountFrom.String() + " 至 " + c.AmountTo.String() + " 元"), text(months(c.TermFrom) + " 至 " + months(c.TermTo)), text(c.RateFrom.String() + "% 至 " + c.RateTo.String() + "%"), text(dayOf(c.ValidUntil))})
	}
	repay := Part{Heading: "借款人设置自动还款", Head: []string{"授权号", "签约时间", "有效期至"}, Forms: []Form{{Action: "/contracts/repay", Button: "自动还款签约"}}, Hint: "签约后平台可随时代为还款，不限于到期日；长期有效，再次签约以最后一次为准。"}
	for _, c := range a.contractsOf(d, AutoRepay, "user_id = ?", v.user.ID) {
		repay.Rows = append(repay.Rows, []Cell{text(c.AuthNo), text(when(c.SignedAt)), text(dayOf(c.ValidUntil))})
	}
	return "自动投标与还款", []Part{bid, repay}
}

func (a *App) signAutoBid(d *work, r *http.Request, v *visit) draft {
	from, to := d.positive(r, "from", "借款额度起"), d.positive(r, "to", "借款额度止")
	valid, termFrom, termTo := d.months(r, "valid", "有效期", 12), d.months(r, "termfrom", "借款期限起", 36), d.months(r, "termto", "借款期限止", 36)
	rateFrom, rateTo := d.rate(r, "ratefrom", "年利率起"), d.rate(r, "rateto", "年利率止")
	d.want(from <= to && termFrom <= termTo && rateFrom <= rateTo, "借款额度、借款期限和年利率的起点不能大于止点")
	d.requireAccount(v.user)
	return draft{kind: KindOther, about: "自动投标签约", request: ips.SignAutoBidRequest{
		Date: ips.DateOf(a.now()), IdentNo: v.user.IdentNo, RealName: v.user.RealName, Account: v.user.Account,
		ValidUnit: ips.PeriodMonths, Valid: valid, TermUnit: ips.PeriodMonths, TermFrom: termFrom, TermTo: termTo, AmountFrom: from, AmountTo: to, RateFrom: rateFrom, RateTo: rateTo,
	}}
}

func (a *App) signAutoRepay(d *work, r *http.Request, v *visit) draft {
	d.requireAccount(v.user)
	return draft{kind: KindOther, about: "自动还款签约", request: ips.SignAutoRepayRequest{Date: ips.DateOf(a.now()), IdentNo: v.user.IdentNo, RealName: v.user.RealName, Account: v.user.Account, ValidUnit: ips.PeriodUnlimited}}
}
