// Package ips is the SDK with which the back end of a P2P lending platform
// talks to the fund-custody platform of IPS (环迅支付 资金管理平台, interface
// v2.0).
//
// A [Client] speaks for one merchant. What its methods return says how an
// operation travels:
//
//   - a [*Form]: the user's browser must carry it to IPS ([Redirect]), where he
//     confirms; the method does no I/O;
//   - a response: the client has called IPS itself ([WebService],
//     [ServerPosted], [QueryService]).
//
// Answers to forms, and the final answers of batches, arrive later as HTTP
// requests: by the user's browser (web return) and from server to server (S2S
// notification), in any order, more than once, or never.
// [Client.NotifyHandler] and [Client.ReturnHandler] verify them and hand them to
// the merchant's [Handler], to which the answers to calls go as well. It looks
// the order up, holds the answer against it ([Compare]) and lets
// [OrderState.Next] decide what is news; [Deduplicated] keeps copies away.
//
// # Scenarios
//
// The usage guide's scenarios and where they are:
//
//  1. 用户开户: [Client.OpenAccount]
//  2. 平台发布借款标: [Client.RegisterBid], [Client.EndBid]
//  3. 担保方对标的担保: [Client.RegisterGuarantor]
//  4. 投资人投标(一次性放款): [Client.RegisterCreditor] or [Client.AutoBid], then [Client.Transfer]
//     with [TransferInvestment]
//  5. 投资人投标(随投随放): the same, released early and again
//  6. 个人债权转让: [Client.RegisterDebtTransfer], then [Client.Transfer] with [TransferDebt]
//  7. 借款人还款: [Client.Repay] or [Client.AutoRepay]
//  8. 担保方代偿: [Client.Transfer] with [TransferCompensation]
//  9. 借款人针对代偿的还款: [Client.Transfer] with [TransferCompensationRepayment]
//  10. 托管账户充值(网银): [Client.Recharge] with [RechargeEBank]
//  11. 托管账户充值(委托收款-用户发起): [Client.Recharge] with [RechargeWithholding]
//  12. 托管账户充值(委托收款-商户发起): [Client.WithholdingRecharge]
//  13. 托管账户提现: [Client.Withdraw]
//  14. 解冻担保方保证金: [Client.UnfreezeMargin] with [GuarantorMargin]
//  15. 解冻借款人保证金: [Client.UnfreezeMargin] with [BorrowerMargin]
//  16. 投资人设置自动投标: [Client.SignAutoBid]
//  17. 借款人设置自动还款: [Client.SignAutoRepay]
//
// 结算担保收益 is [Client.Transfer] with [TransferGuaranteeProfit]. Bids of the old
// interface (新老系统过渡) are [WithOldBids] and [Client.RepayOldBid].
//
// # Outcomes
//
// An answer means [Success], [Pending], [Failure] or [Undecided]. Pending is
// neither success nor an error: the order was accepted and its result follows. A
// failure is an [*Error]: this message was refused. An undecided answer, such as a
// duplicate number, does not say what became of the order; then, and when no
// answer came that can be believed, the error is a [*FateUnknownError]. Keep the
// order open, wait or ask ([Client.QueryTrade]), and don't send it again under a
// new number. What IPS does with the very same message sent twice is not known,
// but for an account opening and the end of a bid.
//
// # Security
//
// The platform dictates 3DES and MD5, which protect little today; HTTPS is what
// protects the traffic. Answers are verified in constant time before they are
// decrypted, whatever carries them. This package puts no key, id number, mobile
// number, card or account into an error; an [*Error] carries what IPS itself
// wrote in its Message, which may name an account.
package ips
