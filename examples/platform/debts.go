package main

import (
	"net/http"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
)

// Chapter 6, 个人债权转让, and the contracts of 16 and 17.

// saleFeePerMille is what the platform takes from both sides, of the price.
const saleFeePerMille = 5

func (a *App) claims(w http.ResponseWriter, r *http.Request, v *visit) error {
	shares, err := a.store.SharesOf(r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	type item struct {
		store.Share
		Dues []store.Due
	}
	var items []item
	for _, s := range shares {
		dues, err := a.store.Dues(r.Context(), s.ID)
		if err != nil {
			return err
		}
		items = append(items, item{s, dues})
	}
	return a.show(w, r, v, "claims", "我的债权", items)
}

// sell offers a share, or a part of it, on the market.
func (a *App) sell(w http.ResponseWriter, r *http.Request, v *visit) error {
	face, err := positive(r, "face", "转让债权面额")
	if err != nil {
		return err
	}
	price, err := positive(r, "price", "转让价格")
	if err != nil {
		return err
	}
	err = a.store.Tx(r.Context(), func(tx *store.Tx) error {
		share, err := tx.Share(r.Context(), r.PathValue("share"))
		if err != nil {
			return err
		}
		if _, err := tx.LockLoan(r.Context(), share.BidNo); err != nil {
			return err
		}
		if share, err = tx.Share(r.Context(), share.ID); err != nil {
			return err
		}
		switch {
		case share.HolderID != v.user.ID:
			return store.ErrNotFound
		case share.State != store.ShareReleased:
			return complain("放款后才能转让债权")
		case face > share.Principal:
			return complain("可转让债权面额为 %s 元", share.Principal)
		case 100*price < 70*face || 100*price > 130*face:
			return complain("转让价格须为债权面额的 70%% 至 130%%")
		}
		return tx.AddSale(r.Context(), store.Sale{
			ID: store.NewID(), ShareID: share.ID, BidNo: share.BidNo, SellerID: v.user.ID, Face: face, Price: price, State: store.SaleOffered,
		})
	})
	switch {
	case store.Conflict(err):
		return complain("该债权已在转让中")
	case err != nil:
		return err
	}
	return see(w, r, "/market")
}

func (a *App) market(w http.ResponseWriter, r *http.Request, v *visit) error {
	sales, err := a.store.Sales(r.Context())
	if err != nil {
		return err
	}
	type item struct {
		store.Sale
		Seller, Purpose string
		Mine            bool
	}
	var items []item
	for _, s := range sales {
		loan, err := a.store.Loan(r.Context(), s.BidNo)
		if err != nil {
			return err
		}
		items = append(items, item{s, a.person(r.Context(), s.SellerID), loan.Purpose, s.SellerID == v.user.ID})
	}
	return a.show(w, r, v, "market", "债权转让市场", items)
}

// buy reserves an offer and lets the buyer confirm at IPS, which freezes his
// money. What comes next starts by itself: see completeSales.
func (a *App) buy(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := requireAccount(v.user); err != nil {
		return err
	}
	return a.begin(w, r, v, func(tx *store.Tx) (draft, error) {
		sale, err := tx.Sale(r.Context(), r.PathValue("sale"))
		if err != nil {
			return draft{}, err
		}
		loan, err := tx.LockLoan(r.Context(), sale.BidNo)
		if err != nil {
			return draft{}, err
		}
		if sale, err = tx.Sale(r.Context(), sale.ID); err != nil {
			return draft{}, err
		}
		share, err := tx.Share(r.Context(), sale.ShareID)
		if err != nil {
			return draft{}, err
		}
		switch {
		case sale.State != store.SaleOffered || sale.BuyerID != "":
			return draft{}, complain("该债权已有人购买")
		case sale.SellerID == v.user.ID || loan.BorrowerID == v.user.ID:
			return draft{}, complain("出让方和借款人不能受让该债权")
		case sale.Face > share.Principal:
			return draft{}, complain("该债权已部分还款，请出让方重新挂牌")
		}
		return a.purchase(r, v, tx, sale, share)
	})
}

func (a *App) purchase(r *http.Request, v *visit, tx *store.Tx, sale store.Sale, share store.Share) (draft, error) {
	seller, err := tx.User(r.Context(), sale.SellerID)
	if err != nil {
		return draft{}, err
	}
	kind := ips.TransferPartClaim
	if sale.Face == share.Principal {
		kind = ips.TransferWholeClaim
	}
	sale.BuyerID, sale.OrderNo = v.user.ID, ips.NewOrderNo("DT")
	fee := perMille(sale.Price, saleFeePerMille)
	return draft{bidNo: sale.BidNo, about: "受让债权 " + sale.Price.String() + " 元", request: ips.RegisterDebtTransferRequest{
		OrderNo: sale.OrderNo, Date: ips.DateOf(a.now()), BidNo: sale.BidNo, ContractNo: share.ContractNo,
		FromName: seller.RealName, FromAccount: seller.Account, FromIdentNo: seller.IdentNo,
		ToName: v.user.RealName, ToAccount: v.user.Account, ToIdentNo: v.user.IdentNo,
		CreditorOrderNo: share.Claim, FaceAmount: sale.Face, Price: sale.Price, FromFee: fee, ToFee: fee, Kind: kind,
		ReturnURL: a.returnURL(ips.OpRegisterDebtTransfer), NotifyURL: a.notifyURL(ips.OpRegisterDebtTransfer),
	}}, tx.UpdateSale(r.Context(), sale)
}

func (a *App) withdrawSale(w http.ResponseWriter, r *http.Request, v *visit) error {
	err := a.store.Tx(r.Context(), func(tx *store.Tx) error {
		sale, err := tx.Sale(r.Context(), r.PathValue("sale"))
		if err != nil {
			return err
		}
		if _, err := tx.LockLoan(r.Context(), sale.BidNo); err != nil {
			return err
		}
		if sale, err = tx.Sale(r.Context(), sale.ID); err != nil {
			return err
		}
		switch {
		case sale.SellerID != v.user.ID:
			return store.ErrNotFound
		case sale.State != store.SaleOffered || sale.BuyerID != "":
			return complain("该债权已有人购买，不能撤回")
		}
		sale.State = store.SaleWithdrawn
		return tx.UpdateSale(r.Context(), sale)
	})
	if err != nil {
		return err
	}
	return see(w, r, "/claims")
}

func (a *App) contracts(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := requireAccount(v.user); err != nil {
		return err
	}
	var data struct{ Bid, Repay []store.Contract }
	var err error
	today := ips.DateOf(a.now()).String()
	if data.Bid, err = a.store.Contracts(r.Context(), store.AutoBid, v.user.ID, today); err != nil {
		return err
	}
	if data.Repay, err = a.store.Contracts(r.Context(), store.AutoRepay, v.user.ID, today); err != nil {
		return err
	}
	return a.show(w, r, v, "contracts", "自动投标与自动还款", data)
}

func (a *App) signAutoBid(w http.ResponseWriter, r *http.Request, v *visit) error {
	from, err := positive(r, "from", "借款额度起")
	if err != nil {
		return err
	}
	to, err := positive(r, "to", "借款额度止")
	if err != nil {
		return err
	}
	if err := requireAccount(v.user); err != nil {
		return err
	}
	return a.begin(w, r, v, func(*store.Tx) (draft, error) {
		return draft{about: "自动投标签约", request: ips.SignAutoBidRequest{
			OrderNo: ips.NewOrderNo("AB"), Date: ips.DateOf(a.now()), IdentNo: v.user.IdentNo, RealName: v.user.RealName, Account: v.user.Account,
			ValidUnit: ips.PeriodMonths, Valid: 12, TermUnit: ips.PeriodMonths, TermFrom: 1, TermTo: 36,
			AmountFrom: from, AmountTo: to, RateFrom: 1 * ips.Percent, RateTo: 24 * ips.Percent,
			ReturnURL: a.returnURL(ips.OpSignAutoBid), NotifyURL: a.notifyURL(ips.OpSignAutoBid),
		}}, nil
	})
}

func (a *App) signAutoRepay(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := requireAccount(v.user); err != nil {
		return err
	}
	return a.begin(w, r, v, func(*store.Tx) (draft, error) {
		return draft{about: "自动还款签约", request: ips.SignAutoRepayRequest{
			OrderNo: ips.NewOrderNo("AR"), Date: ips.DateOf(a.now()), IdentNo: v.user.IdentNo, RealName: v.user.RealName, Account: v.user.Account,
			ValidUnit: ips.PeriodUnlimited,
			ReturnURL: a.returnURL(ips.OpSignAutoRepay), NotifyURL: a.notifyURL(ips.OpSignAutoRepay),
		}}, nil
	})
}
